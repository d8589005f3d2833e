// What the page and its worker say to each other. Everything is plain data; each event names the training that
// it is of, so that one that was on its way while somebody began anew is dropped.
// Next: host.ts, which answers.

import type { StepRecord } from "../grm/index.ts";
import type { TapeLayout } from "../report/tape/layout.ts";
import type { HiddenDetail, HiddenFrame, HiddenScene } from "./hiddenView.ts";
import type { Look } from "./liveTraining.ts";
import type { Overopt, OveroptProgress } from "./overoptView.ts";
import type { ExplorerSettings, TapeSettings, TypedText } from "./settings.ts";
import type { DifferenceCurve, OpCheck, TapeScene } from "./tapeBench.ts";
import type { TextReading, Writing } from "./textView.ts";

/** What is asked of a tape: the whole of it with some modules open, differences along one number, the check of one op. */
export type TapeRequest =
  | {
      readonly kind: "tape";
      readonly settings: TapeSettings;
      readonly open: readonly string[];
    }
  | {
      readonly kind: "differences";
      readonly settings: TapeSettings;
      readonly box: number;
      readonly element: number;
    }
  | { readonly kind: "check"; readonly settings: TapeSettings; readonly box: number };

/** What is told of a tape; where boxes stand is found in the worker, as it takes longer than a picture may. */
export type TapeTold =
  | {
      readonly kind: "tape";
      readonly scene: TapeScene;
      readonly open: readonly string[];
      readonly layout: TapeLayout;
    }
  | { readonly kind: "differences"; readonly curve: DifferenceCurve }
  | { readonly kind: "check"; readonly check: OpCheck };

/** What the page asks for. */
export type Request =
  | TapeRequest
  /** Trainings on the GPU, from the next one on; or on the SIMD device again. */
  | { readonly kind: "device"; readonly gpu: boolean }
  /** A training from the base; what went on before ends. */
  | { readonly kind: "begin"; readonly training: number; readonly settings: ExplorerSettings }
  | { readonly kind: "run" }
  | { readonly kind: "pause" }
  | { readonly kind: "step" }
  /** Hidden states too, and of this pair the pushes; null for no more. */
  | { readonly kind: "watch"; readonly pair: number | null }
  /** Typed text too; null for no more. */
  | { readonly kind: "read"; readonly text: TypedText | null }
  /** Best-of-n by two proxies, with a seed; null for no more. */
  | { readonly kind: "overopt"; readonly seed: number | null }
  /** What each model writes after a prompt; another luck, another text. */
  | { readonly kind: "write"; readonly prompt: string; readonly luck: number };

/** What the worker tells. */
export type Told =
  | TapeTold
  /** The device that computes, why it isn't another one if so, and its threads. */
  | {
      readonly kind: "device";
      readonly name: string;
      readonly threads: number;
      readonly why: string | null;
    }
  | { readonly kind: "overoptProgress"; readonly progress: OveroptProgress }
  | { readonly kind: "overopt"; readonly overopt: Overopt }
  | {
      readonly kind: "begun";
      readonly training: number;
      readonly steps: number;
      /** The same as a program for Node. */
      readonly code: string;
      /** Held-out pairs to read. */
      readonly examples: readonly TypedText[];
    }
  | {
      readonly kind: "steps";
      readonly training: number;
      /** A record for each model, plain first. */
      readonly records: readonly StepRecord[];
    }
  | { readonly kind: "look"; readonly training: number; readonly look: Look }
  | { readonly kind: "scene"; readonly training: number; readonly scene: HiddenScene }
  | { readonly kind: "frame"; readonly training: number; readonly frame: HiddenFrame }
  | { readonly kind: "detail"; readonly training: number; readonly detail: HiddenDetail }
  | { readonly kind: "reading"; readonly training: number; readonly reading: TextReading }
  | { readonly kind: "writing"; readonly training: number; readonly writing: Writing }
  | { readonly kind: "finished"; readonly training: number }
  | { readonly kind: "failed"; readonly training: number; readonly message: string };
