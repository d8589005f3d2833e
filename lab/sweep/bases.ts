// The bases of a sweep, each pretrained once and shared under the digest of its words by whoever has the folder. Two
// processes that make the same one make the same bytes, and the folder takes its name in one step, so that nobody needs
// a lock.
// Next: words.ts for the words of a base, ../worlds/base.ts for pretraining.

import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { random } from "../../core/index.ts";
import { joinPath, makeFolder } from "../../nn/checkpoints/files.ts";
import { modelConfig } from "../../nn/config.ts";
import { CausalLM } from "../../nn/index.ts";
import { loadCausalLM, saveCausalLM } from "../../nn/node.ts";
import { breathe } from "../../nn/run/loop.ts";
import { committedBase } from "../demo/bases.ts";
import { deeds, type PreferenceWorld, pretrainBase } from "../worlds/index.ts";
import { tokenised } from "../worlds/tokenised.ts";
import { type BaseWords, digestOf, usualBase } from "./words.ts";

/** The world of a base, with a base of its size. */
export function worldOf({ world: name, tokens, layers, dim, heads }: BaseWords): PreferenceWorld {
  const world: PreferenceWorld = name === "deeds" ? deeds : tokenised(tokens);
  return { ...world, base: { ...world.base, layers, dim, heads, ffDim: 2 * dim } };
}

/** Where a base is, or will be: two of the usual ones come with the program, with the bytes that pretraining gives. */
function baseFolder(folder: string, words: BaseWords): string {
  const { seed, folder: own, ...size } = words;
  if (own !== undefined) return own;
  const isUsual = JSON.stringify(size) === JSON.stringify(usualBase);
  return (isUsual ? committedBase(seed) : undefined) ?? joinPath(folder, digestOf(words));
}

/** Whether a base need not be pretrained any more. */
export function hasBase(folder: string, words: BaseWords): boolean {
  return existsSync(baseFolder(folder, words));
}

/** Pretrains a base unless it is there; returns its folder. */
export async function ensureBase(
  folder: string,
  words: BaseWords,
  onProgress: (done: number) => void = () => {},
): Promise<string> {
  const wanted = baseFolder(folder, words);
  if (existsSync(wanted)) return wanted;
  const { seed, baseSteps } = words;
  const lm = await pretrainBase(
    worldOf(words),
    seed,
    async ({ step, steps }) => {
      if (step % 50 === 0) onProgress(step / steps);
      await breathe();
    },
    baseSteps,
  );
  makeFolder(folder);
  const made = mkdtempSync(joinPath(folder, ".making-"));
  await saveCausalLM(made, lm);
  for (const p of lm.parameters()) p.release();
  try {
    renameSync(made, wanted);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!existsSync(wanted)) throw error; // somebody else was quicker, with the same bytes
  }
  return wanted;
}

/** A base's language model, with dropout where it is wanted: it changes no weight. */
export function openBase(path: string, dropout: number): CausalLM {
  const lm = loadCausalLM(path);
  if (dropout === 0) return lm;
  const config = modelConfig({ ...lm.config, dropout } as Parameters<typeof modelConfig>[0]);
  const again = new CausalLM(config, { rng: random(0) });
  again.loadStateDict(lm.stateDict());
  for (const p of lm.parameters()) p.release();
  return again;
}
