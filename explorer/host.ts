// Drives trainings as a page asks for them: begins, runs until told to pause, takes single steps, looks at the
// tests when they are due. Knows neither page nor worker: it is given a way to tell and a way to fetch bases.
// Next: worker.ts, which connects it to a page.

import type { Files } from "../nn/index.ts";
import { layOut } from "../report/tape/layout.ts";
import { codeOf } from "./code.ts";
import { HiddenView } from "./hiddenView.ts";
import { LiveTraining } from "./liveTraining.ts";
import type { Request, TapeRequest, TapeTold, Told } from "./messages.ts";
import { type OveroptProgress, overoptimise } from "./overoptView.ts";
import type { TypedText } from "./settings.ts";
import { differenceCurve, opCheck, tapeScene } from "./tapeBench.ts";
import { isOpenIn } from "./tapeState.ts";
import { examplesOf, read, write } from "./textView.ts";

/** What a host needs of where it runs. */
export interface HostDoors {
  readonly tell: (told: Told) => void;
  /** The files of a base, by its number or name. */
  readonly base: (name: number | "tales") => Promise<Files>;
  /** Lets the rest of the worker have its turn, so that requests are heard. */
  readonly turn: () => Promise<void>;
}

/** What is being trained, and under which number the page knows it. */
interface Current {
  readonly experiment: LiveTraining;
  readonly training: number;
  /** Made when somebody first looks at hidden states. */
  hidden: HiddenView | null;
  /** The pair and the step whose pushes were told last. */
  detailed: string;
  /** The text and the step that were read last. */
  read: string;
}

/** Steps between two pictures of the hidden states. */
const frameEvery = 4;

export class TrainingHost {
  /** The device that trains, if it isn't the current one. */
  device: string | null = null;
  #current: Current | null = null;
  /** The training that the page asked for last. */
  #asked = 0;
  #mayRun = false;
  /** The pair whose hidden states are looked at; null for none. */
  #watched: number | null = null;
  /** Text that is read; null for none. */
  #text: TypedText | null = null;
  /** The seed of the over-optimisation that is to be shown, and of the one that was. */
  #overoptSeed: number | null = null;
  #overoptTold: number | null = null;
  /** What is to be written; null when it was. */
  #toWrite: (Request & { readonly kind: "write" }) | null = null;
  /** What was asked of the tape and waits for the end of a step. */
  readonly #tapeAsked: TapeRequest[] = [];
  /** What was asked, done one after the other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(readonly doors: HostDoors) {}

  /** Hears a request; resolves when it has been done. A training stops for the next one at once. */
  hear(request: Request): Promise<void> {
    if (isOfTape(request)) return this.#hearOfTape(request);
    if (request.kind === "begin") this.#asked = request.training;
    if (request.kind === "watch") this.#watched = request.pair;
    else if (request.kind === "read") this.#text = request.text;
    else if (request.kind === "overopt") this.#overoptSeed = request.seed;
    else if (request.kind === "write") this.#toWrite = request;
    else if (request.kind !== "step") this.#mayRun = request.kind === "run";
    const training = this.#asked;
    this.#queue = this.#queue.then(() => this.#answer(request, training));
    return this.#queue;
  }

  async #answer(request: Request, training: number): Promise<void> {
    if (training !== this.#asked) return; // somebody began anew meanwhile
    try {
      if (request.kind === "begin") await this.#begin(request);
      else if (this.#current?.training !== training)
        return; // it failed to begin
      else if (request.kind === "step") await this.#step(this.#current);
      else if (request.kind === "run") await this.#run(this.#current);
      if (this.#current !== null) await this.#views(this.#current);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.doors.tell({ kind: "failed", training, message });
    }
  }

  /** At once, as no training has to be waited for; but while another device trains, between two steps. */
  #hearOfTape(request: TapeRequest): Promise<void> {
    if (this.device === null) return this.#tape(request);
    this.#tapeAsked.push(request);
    this.#queue = this.#queue.then(() => this.#tapes());
    return this.#queue;
  }

  async #tapes(): Promise<void> {
    for (const request of this.#tapeAsked.splice(0)) await this.#tape(request);
  }

  async #tape(request: TapeRequest): Promise<void> {
    try {
      this.doors.tell(await ofTape(request));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.doors.tell({ kind: "failed", training: this.#asked, message });
    }
  }

  async #begin({ settings, training }: Request & { readonly kind: "begin" }): Promise<void> {
    const files = await this.doors.base(settings.base);
    this.#current?.experiment.release();
    this.#current = null;
    const experiment = await LiveTraining.begin(settings, files, this.device);
    this.#current = { experiment, training, hidden: null, detailed: "", read: "" };
    const { steps } = experiment;
    const [code, examples] = [codeOf(settings), examplesOf(experiment)];
    this.doors.tell({ kind: "begun", training, steps, code, examples });
    await this.#look(this.#current);
  }

  async #run(current: Current): Promise<void> {
    const goesOn = (): boolean => this.#mayRun && current.training === this.#asked;
    while (goesOn() && (await this.#step(current))) {
      const { detailed, read } = current;
      const isOther =
        !detailed.startsWith(`${this.#watched} `) || !read.endsWith(textKey(this.#text));
      const isAsked = this.#toWrite !== null || this.#isOveroptDue;
      if (isOther || isAsked) await this.#views(current);
      await this.#tapes();
      await this.doors.turn();
    }
  }

  /** A step, and the tests if they are due; whether there is another step. */
  async #step(current: Current): Promise<boolean> {
    const { experiment, training } = current;
    if (experiment.finished) return false;
    this.doors.tell({ kind: "steps", training, records: await experiment.next() });
    if (experiment.isLookDue) await this.#look(current);
    if (experiment.isLookDue) await this.#views(current);
    else if (experiment.step % frameEvery === 0) await this.#frame(current);
    if (experiment.finished) this.doors.tell({ kind: "finished", training });
    return !experiment.finished;
  }

  async #look({ experiment, training }: Current): Promise<void> {
    this.doors.tell({ kind: "look", training, look: await experiment.look() });
  }

  /** The hidden states of all stories, if somebody looks; the scene before the first. */
  async #frame(current: Current): Promise<HiddenView | null> {
    if (this.#watched === null) return null;
    const { training, experiment } = current;
    if (current.hidden === null) {
      current.hidden = await HiddenView.begin(experiment);
      this.doors.tell({ kind: "scene", training, scene: current.hidden.scene });
    }
    this.doors.tell({ kind: "frame", training, frame: await current.hidden.frame(this.#watched) });
    return current.hidden;
  }

  /** What views show beside the training, unless it was told. */
  async #views(current: Current): Promise<void> {
    await this.#detail(current);
    const { experiment, training } = current;
    const wanted = `${experiment.step} ${textKey(this.#text)}`;
    if (this.#text !== null && current.read !== wanted) {
      const reading = await read(experiment, this.#text);
      this.doors.tell({ kind: "reading", training, reading });
    }
    current.read = wanted;
    await this.#overopt();
    const asked = this.#toWrite;
    this.#toWrite = null;
    if (asked !== null)
      await write(experiment, asked, asked.luck, (writing) =>
        this.doors.tell({ kind: "writing", training, writing }),
      );
  }

  get #isOveroptDue(): boolean {
    return this.#overoptSeed !== null && this.#overoptSeed !== this.#overoptTold;
  }

  /** The over-optimisation that is to be shown, unless it was told. */
  async #overopt(): Promise<void> {
    const seed = this.#overoptSeed;
    if (seed === null || !this.#isOveroptDue) return;
    const { tell, base } = this.doors;
    const progress = (at: OveroptProgress): void => tell({ kind: "overoptProgress", progress: at });
    tell({ kind: "overopt", overopt: await overoptimise(seed, await base("tales"), progress) });
    this.#overoptTold = seed;
  }

  /** The pushes on the watched pair too, unless they were told. */
  async #detail(current: Current): Promise<void> {
    const pair = this.#watched;
    const wanted = `${pair} ${current.experiment.step}`;
    if (current.detailed === wanted) return;
    current.detailed = wanted;
    if (pair === null) return;
    const view = await this.#frame(current);
    const detail = await view?.detail(pair);
    if (detail) this.doors.tell({ kind: "detail", training: current.training, detail });
  }
}

function textKey(text: TypedText | null): string {
  return JSON.stringify(text);
}

function isOfTape(request: Request): request is TapeRequest {
  return ["tape", "differences", "check"].includes(request.kind);
}

async function ofTape(request: TapeRequest): Promise<TapeTold> {
  const { kind, settings } = request;
  if (kind === "tape") {
    const { open } = request;
    const scene = await tapeScene(settings);
    return { kind, scene, open, layout: layOut(scene.tape, isOpenIn({ open })) };
  }
  if (kind === "check") return { kind, check: await opCheck(settings, request.box) };
  return { kind, curve: await differenceCurve(settings, request.box, request.element) };
}
