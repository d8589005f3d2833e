// "twoheads/node" for a lesson in a page: what lessons read from folders, fetched from beside this file, and what was
// measured once.
// Workers may wait for a request, and lessons read models as one does from a disk. Next: runner.ts.

import summaries from "../../lab/map/summary.json" with { type: "json" };
import type { MapSummary } from "../../lab/map/summary.ts";
import {
  type CausalLM,
  causalLMFromFiles,
  type Files,
  type Tokenizer,
  tokenizerFromFiles,
} from "../../nn/index.ts";
import { baseFiles } from "./baseFiles.ts";

function filesOf(folder: string): Files {
  return new Map(
    baseFiles.map((name) => [name, fetched(new URL(`${folder}/${name}`, import.meta.url))]),
  );
}

function fetched(url: URL): Uint8Array {
  const request = new XMLHttpRequest();
  request.open("GET", url, false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status === 200) return new Uint8Array(request.response as ArrayBuffer);
  throw new Error(
    `${url.pathname} can't be read: status ${request.status}; the site has lab/demo/bases/1 and 2`,
  );
}

/** A language model of the site, by its folder in the repository. */
export function loadCausalLM(folder: string): CausalLM {
  return causalLMFromFiles(filesOf(folder));
}

/** The tokenizer beside it. */
export function loadTokenizer(folder: string): Tokenizer {
  return tokenizerFromFiles(filesOf(folder));
}

/** What the committed maps say, as it was when the site was built. */
export function mapSummaries(): readonly MapSummary[] {
  return summaries;
}
