// Models of llama2.c (https://github.com/karpathy/llama2.c): seven whole numbers, then every weight as
// float32 in one run. They become a LlamaForCausalLM of Hugging Face, in name and in content: llama2.c
// rotates neighbouring pairs (2i, 2i+1) of a head, Hugging Face pairs (i, i + headDim/2), so the rows of
// wq and wk change places. Next: folder.ts, which would save the result.

import { type Tensor, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { type ByteSource, FileError } from "./byteSource.ts";
import type { LoadedModel } from "./folder.ts";

const takes = signatures({
  parseLlama2c: "source: { read: function, close: function, ... }",
});

interface Dims {
  readonly dim: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly context: number;
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  readonly headDim: number;
}

const headerBytes = 28;

/**
 * Reads a llama2.c `.bin` (version 0, float32); config and names are those of LlamaForCausalLM. In a browser,
 * bytesAsFile makes a source of what was fetched.
 */
export function parseLlama2c(source: ByteSource): LoadedModel {
  accept(takes.parseLlama2c, arguments);
  const dims = readDims(source);
  const tensors: Record<string, Tensor> = {};
  let at = headerBytes;
  for (const { field, name, count, shape, rotated } of blocks(dims)) {
    const [rows, columns = 1] = shape;
    for (let i = 0; i < count; i++, at += 4 * rows * columns) {
      if (name === undefined) continue;
      const read = new Float32Array(source.read(field, at, 4 * rows * columns).buffer);
      const data = rotated ? halfRotation(read, dims.headDim, columns) : read;
      tensors[name(i)] = tensor(data, { shape });
    }
  }
  return { config: configOf(dims), tensors, metadata: new Map() };
}

/** A run of `count` equal tensors in the file. */
interface FileSection {
  /** llama2.c's name for it. */
  readonly field: string;
  /** Hugging Face's name for its i-th tensor; none for tables that a model computes itself. */
  readonly name?: (i: number) => string;
  readonly count: number;
  /** [out, in], or [width]. */
  readonly shape: readonly [number] | readonly [number, number];
  /** Whether its rows are rotated by position. */
  readonly rotated?: boolean;
}

/** What follows the header, in its order. */
function blocks(dims: Dims): FileSection[] {
  const { dim, hidden, heads, kvHeads, vocab, context, headDim } = dims;
  const one = (field: string, name: string, shape: FileSection["shape"]): FileSection => {
    return { field, name: () => `${name}.weight`, count: 1, shape };
  };
  const each = (field: string, name: string, shape: FileSection["shape"]): FileSection => {
    return { field, name: (i) => `model.layers.${i}.${name}.weight`, count: dims.layers, shape };
  };
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  return [
    one("token_embedding", "model.embed_tokens", [vocab, dim]),
    each("rms_att", "input_layernorm", [dim]),
    { ...each("wq", "self_attn.q_proj", [q, dim]), rotated: true },
    { ...each("wk", "self_attn.k_proj", [kv, dim]), rotated: true },
    each("wv", "self_attn.v_proj", [kv, dim]),
    each("wo", "self_attn.o_proj", [dim, q]),
    each("rms_ffn", "post_attention_layernorm", [dim]),
    each("w1", "mlp.gate_proj", [hidden, dim]),
    each("w2", "mlp.down_proj", [dim, hidden]),
    each("w3", "mlp.up_proj", [hidden, dim]),
    one("rms_final", "model.norm", [dim]),
    { field: "freq_cis", count: 2, shape: [context, headDim / 2] }, // cosines and sines
    ...(dims.tied ? [] : [one("wcls", "lm_head", [vocab, dim])]),
  ];
}

function readDims(source: ByteSource): Dims {
  const fail = (field: string, problem: string): never => {
    throw new FileError(source.name, field, problem);
  };
  const header = new Int32Array(source.read("header", 0, headerBytes).buffer);
  const [dim = 0, hidden = 0, layers = 0, heads = 0, kvHeads = 0, signed = 0, context = 0] = header;
  if (dim === 0x616b3432)
    fail("header", 'begins with "ak42": version 1 or 2; export it as version 0');
  const vocab = Math.abs(signed); // negative: the output matrix is its own
  const sizes = {
    dim,
    hidden_dim: hidden,
    n_layers: layers,
    n_heads: heads,
    n_kv_heads: kvHeads,
    vocab_size: vocab,
    seq_len: context,
  };
  for (const [field, size] of Object.entries(sizes)) {
    if (size <= 0) fail(field, `is ${size}, must be > 0`);
    if (4 * size > source.size)
      fail(field, `is ${size}, too large for a file of ${source.size} bytes`);
  }
  if (dim % heads !== 0) fail("n_heads", `${heads} heads don't divide dim ${dim}`);
  if (heads % kvHeads !== 0) fail("n_kv_heads", `${kvHeads} heads don't divide n_heads ${heads}`);
  const headDim = dim / heads;
  if (headDim % 2 !== 0) fail("n_heads", `a head of width ${headDim} has no pairs to rotate`);
  const dims = { dim, hidden, layers, heads, kvHeads, vocab, context, tied: signed > 0, headDim };
  checkSize(source, dims);
  return dims;
}

/** Throws unless the file is exactly as long as its header says, before anything is allocated. */
function checkSize(source: ByteSource, dims: Dims): void {
  let expected = headerBytes;
  for (const { count, shape } of blocks(dims)) {
    const [rows, columns = 1] = shape;
    expected += 4 * count * rows * columns;
  }
  if (expected !== source.size) {
    throw new FileError(
      source.name,
      "",
      `has ${source.size} bytes; its header asks for ${expected}`,
    );
  }
}

/**
 * Rows of interleaved rotary pairs in the order of half-rotation: in each head of width d, row 2i goes to i
 * and row 2i+1 to i + d/2.
 */
function halfRotation(data: Float32Array, headDim: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  const rows = data.length / columns;
  for (let row = 0; row < rows; row++) {
    const within = row % headDim;
    const to = row - within + (within >> 1) + (within % 2 === 0 ? 0 : headDim / 2);
    out.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}

function configOf({ dim, hidden, layers, heads, kvHeads, vocab, context, tied, headDim }: Dims) {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: vocab,
    hidden_size: dim,
    intermediate_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    max_position_embeddings: context,
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: tied,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: "float32",
  };
}
