// A model as a folder, in the layout of Hugging Face: config.json beside model.safetensors (or shards of
// it behind an index), on disk or in memory. The configuration is plain JSON here and the weights are named
// tensors; what a model makes of them is the model's matter. Next: onDisk.ts for paths,
// ../tokenizers/folder.ts for the tokenizer beside them.

import { accept, signatures } from "../../core/signature.ts";
import { adaptersName, baseOfAdapters, withAdapters, withRows } from "./adapters.ts";
import { FileError, type Files, type Folder, filesAsFolder, readAll } from "./byteSource.ts";
import { parseJson } from "./json.ts";
import {
  openTensors,
  readTensors,
  safetensorsBytes,
  type TensorFile,
  type Tensors,
} from "./safetensors.ts";
import { openShards } from "./sharded.ts";

const takes = signatures({
  modelFromFiles: "files: object",
  modelFiles: "{ config: object, stateDict: object, metadata?: object }",
});

export const configName = "config.json";
export const weightsName = "model.safetensors";
export const indexName = `${weightsName}.index.json`;

/** What config.json holds, in Hugging Face's terms. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** A model as read from a folder. */
export interface LoadedModel {
  readonly config: RawConfig;
  readonly tensors: Tensors;
  /** Free text that was written beside the tensors. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** A model as it is saved. */
export interface ModelParts {
  readonly config: RawConfig;
  readonly stateDict: Tensors;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Opens the weights of a folder without reading them: the single file, or else the index of shards. */
export function weightsIn(folder: Folder): TensorFile {
  if (folder.has(weightsName)) return openTensors(folder.open(weightsName));
  if (folder.has(indexName)) return openShards(folder, indexName);
  throw new FileError(
    folder.name,
    "",
    pickled(folder) ?? `holds neither ${weightsName} nor ${indexName}`,
  );
}

/** Writes what a folder's pickles hold as safetensors, every tensor by its name. */
const conversion = `python -c "import glob, torch; from safetensors.torch import save_file; save_file({k: v.clone().contiguous() for f in glob.glob('*_model*.bin') for k, v in torch.load(f, weights_only=True).items()}, 'NAME', {'format': 'pt'})"`;

/** What is said of a folder with a pickle in place of weights; undefined where there is none. */
function pickled(folder: Folder): string | undefined {
  const ending = [".bin", ".bin.index.json"];
  const kinds = { pytorch_model: weightsName, adapter_model: adaptersName };
  for (const [stem, name] of Object.entries(kinds)) {
    const pickle = ending.map((end) => stem + end).find((file) => folder.has(file));
    if (pickle === undefined) continue;
    const command = conversion.replace("NAME", name);
    return `holds ${pickle}, a pickle, which can run code and isn't opened; convert it once, in its folder: ${command}`;
  }
  return undefined;
}

/** A folder's config.json; of adapters, with that of the model that they belong to. */
export function configIn(folder: Folder): RawConfig {
  const base = baseOfAdapters(folder);
  if (base !== null && !folder.has(configName)) return configIn(base);
  const source = folder.open(configName);
  const config = parseJson(source.name, readAll(source)).object();
  return base === null ? config : { ...configIn(base), ...config };
}

/** Reads a model's configuration and weights, with adapters added to them, onto the current device. */
export function modelIn(folder: Folder): LoadedModel {
  const config = configIn(folder);
  const base = baseOfAdapters(folder);
  const file = weightsIn(base ?? folder);
  const { metadata } = file;
  const tensors = readTensors(file);
  if (base === null) return { config, metadata, tensors };
  const own = [weightsName, adaptersName].filter((name) => folder.has(name));
  if (own.length === 0)
    throw new FileError(folder.name, "", pickled(folder) ?? `holds no ${adaptersName}`);
  const files = own.map((name) => readTensors(openTensors(folder.open(name))));
  const whole = withAdapters(folder, tensors, files);
  return { config, metadata, tensors: withRows(whole, Number(config.vocab_size)) };
}

/**
 * A model from files in memory, by name: config.json, and model.safetensors or an index with its shards.
 * Such as a browser fetched; `new Map([["config.json", bytes], ...])`.
 */
export function modelFromFiles(files: Files): LoadedModel {
  accept(takes.modelFromFiles, arguments);
  return modelIn(filesAsFolder(files));
}

/** The text of a model's config.json. */
export function configText(config: RawConfig): string {
  return `${JSON.stringify(config, null, 2)}\n`;
}

export const generationName = "generation_config.json";

/** The text of the generation_config.json beside it, from where transformers' generate() knows what ends a text. */
export function generationText(config: RawConfig): string | null {
  const roles = ["bos_token_id", "eos_token_id", "pad_token_id"];
  const ids = roles.filter((role) => typeof config[role] === "number");
  if (ids.length === 0) return null;
  return configText(Object.fromEntries(ids.map((role) => [role, config[role]])));
}

/** What is written beside the weights: transformers opens no file without a format. */
export function weightsMetadata(metadata: ModelParts["metadata"]) {
  return { metadata: { format: "pt", ...metadata } };
}

/** The files that modelFromFiles reads, in memory: to be sent, or kept by a page. */
export async function modelFiles(options: ModelParts): Promise<Map<string, Uint8Array>> {
  accept(takes.modelFiles, arguments);
  const { config, stateDict, metadata } = options;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of safetensorsBytes(stateDict, weightsMetadata(metadata))) {
    chunks.push(Uint8Array.from(chunk));
  }
  const weights = new Uint8Array(await new Blob(chunks).arrayBuffer());
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const generation = generationText(config);
  return new Map<string, Uint8Array>([
    [configName, bytes(configText(config))],
    ...(generation === null ? [] : [[generationName, bytes(generation)] as const]),
    [weightsName, weights],
  ]);
}
