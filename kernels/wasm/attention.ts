// The rules of attention. The kernel finds queries, keys and values by strides, so that heads may lie
// apart, [B, H, T, D], or packed in the rows of one projection, [B, T, (H + 2 Hkv) D].
// Next: attention.as.ts, which walks; update.ts.

import type { ForwardCall, Spec, Tensor } from "../../core/index.ts";
import type { Attend, Packed } from "../../core/ops/fused/attentionLoops.ts";
import type { Outputs, UpdateRulesOf } from "../../core/rule.ts";
import { sizeOf } from "../../core/shape.ts";
import type { updates } from "../../core/updates.ts";
import { stretched } from "./broadcast.ts";
import type { WasmBuffer } from "./memory.ts";
import {
  areFloat32,
  bufferOf,
  type Machine,
  makeLike,
  read,
  sideOf,
  type WasmRule,
  type WasmRules,
} from "./rule.ts";

/** Elements from one batch entry, head and row to the next. */
type Strides = readonly [batch: number, head: number, row: number];

interface AttentionShape {
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly T: number;
  readonly S: number;
  readonly D: number;
  readonly q: Strides;
  readonly k: Strides;
  readonly o: Strides;
}

/** Blocks of scores and turned keys must fit the kernel's working memory. */
const widestHead = 1024;

function maskFits(mask: Tensor | null): boolean {
  return mask === null || (!mask.requiresGrad && mask.rank <= 4);
}

/** What a kernel is told beside addresses. */
interface AttentionTask {
  readonly shape: AttentionShape;
  readonly mask: Tensor | null;
  readonly options: Attend;
}

/** Writes the call's sizes and strides where the kernel reads them; see Shape in attention.as.ts. */
function layoutOf({ wasm, memory }: Machine, { shape, mask, options }: AttentionTask): number {
  const { B, H, Hkv, T, S, D, q, k, o } = shape;
  const { causal, offset, scale } = options;
  const maskStrides = mask === null ? [0, 0, 0, 0] : stretched(mask.shape, [B, H, T, S]);
  const kind = mask === null ? 0 : mask.dtype === "bool" ? 1 : 2;
  const at = mask === null ? 0 : memory.read(bufferOf(mask));
  const sizes = [B, H, Hkv, T, S, D, Number(causal), offset, 0];
  const layout = wasm.layout([...sizes, ...q, ...k, ...k, ...o, kind, at, ...maskStrides]);
  wasm.f32[(layout >> 2) + 8] = scale;
  return layout;
}

/** `addresses`: of q, k, v, the result, its rows' largest scores and masses. */
function runForward(machine: Machine, task: AttentionTask, ...addresses: readonly number[]): void {
  const { B, H, T, S, D } = task.shape;
  if (T === 1) {
    machine.wasm.run("attendOne", B * H, (S * D) / 8, 1, layoutOf(machine, task), ...addresses);
    return;
  }
  const cost = (Math.min(T, 64) * S * D) / (task.options.causal ? 16 : 8);
  const units = B * H * Math.ceil(T / 64);
  machine.wasm.run("attention", units, cost, 1, layoutOf(machine, task), ...addresses);
}

type Saved = "largest" | "mass";

/** The outputs of a forward call, computed from the addresses of q, k and v. */
function attended(
  machine: Machine,
  { outputs: [spec], saved }: Pick<ForwardCall<readonly unknown[], Saved>, "outputs" | "saved">,
  task: AttentionTask,
  addresses: readonly number[],
): Outputs<Saved, WasmBuffer> {
  const y = makeLike(machine, spec);
  const [largest, mass] = [makeLike(machine, saved.largest), makeLike(machine, saved.mass)];
  runForward(machine, task, ...addresses, y.at, largest.at, mass.at);
  return [y, { largest, mass }];
}

/** `addresses`: of g, q, k, v, the result, its rows' largest scores and masses, then of dq, dk and dv. */
function runBackward(machine: Machine, task: AttentionTask, ...addresses: readonly number[]): void {
  const { B, H, Hkv, T, S, D } = task.shape;
  const cost = ((H / Hkv) * T * S * D) / (task.options.causal ? 8 : 4);
  machine.wasm.run("attentionGrad", B * Hkv, cost, 1, layoutOf(machine, task), ...addresses);
}

// --- Heads apart -------------------------------------------------------------------------------------

/** Of q [B, T, H, D] and k [B, S, Hkv, D]. */
function shapeByRows(q: Tensor, k: Tensor): AttentionShape {
  const [B = 0, T = 0, H = 0, D = 0] = q.shape;
  const [, S = 0, Hkv = 0] = k.shape;
  const own: Strides = [T * H * D, D, H * D];
  return { B, H, Hkv, T, S, D, q: own, k: [S * Hkv * D, D, Hkv * D], o: own };
}

/** Of q [B, H, T, D] and k [B, Hkv, S, D], with ones for the axes that aren't there; or by rows. */
function shapeApart(q: Tensor, k: Tensor, { layout }: Attend): AttentionShape {
  if (layout === "bthd") return shapeByRows(q, k);
  const [T, D] = [sideOf(q, -2), sideOf(q, -1)];
  const [H, Hkv] = [sideOf(q, -3), sideOf(k, -3)];
  const S = sideOf(k, -2);
  const own: Strides = [H * T * D, T * D, D];
  const keys: Strides = [Hkv * S * D, S * D, D];
  return { B: sizeOf(q.shape.slice(0, -3)), H, Hkv, T, S, D, q: own, k: keys, o: own };
}

const scaledDotProductAttention: WasmRule<"scaledDotProductAttention"> = {
  fits: ([q, k, v, mask, { drop }]) => {
    if (!areFloat32(q, k, v) || drop.p > 0 || q.rank > 4 || q.size === 0 || k.size === 0)
      return false;
    const D = sideOf(q, -1);
    return maskFits(mask) && sideOf(v, -1) === D && D <= widestHead;
  },
  forward: (machine, call) => {
    const [q, k, v, mask, options] = call.args;
    const addresses = [q, k, v].map((x) => read(machine, x));
    return attended(machine, call, { shape: shapeApart(q, k, options), mask, options }, addresses);
  },
  backward: (
    machine,
    { g, y, saved: { largest, mass }, args: [q, k, v, mask, options], outputs },
  ) => {
    const addresses = [g, q, k, v, y, largest, mass].map((x) => read(machine, x));
    const made = [q, k, v].map((x) => makeLike(machine, x)); // the kernel writes all of them
    const task = { shape: shapeApart(q, k, options), mask, options };
    runBackward(machine, task, ...addresses, ...made.map(({ at }) => at));
    return made.filter((buffer, i) => outputs[i] || machine.memory.free(buffer));
  },
};

// --- Heads packed ------------------------------------------------------------------------------------

function shapePacked(qkv: Tensor, { heads: H, kvHeads: Hkv }: Packed): AttentionShape {
  const [B = 0, T = 0, width = 0] = qkv.shape;
  const D = width / (H + 2 * Hkv);
  const packed: Strides = [T * width, D, width];
  return { B, H, Hkv, T, S: T, D, q: packed, k: packed, o: [T * H * D, D, H * D] };
}

/** The addresses of the first query, key and value in a packed block. */
function packedParts(at: number, { H, Hkv, D }: AttentionShape): number[] {
  return [at, at + 4 * H * D, at + 4 * (H + Hkv) * D];
}

const packedAttention: WasmRule<"packedAttention"> = {
  fits: ([qkv, mask, options]) => {
    if (!areFloat32(qkv) || options.drop.p > 0 || qkv.size === 0) return false;
    return maskFits(mask) && shapePacked(qkv, options).D <= widestHead;
  },
  forward: (machine, call) => {
    const [qkv, mask, options] = call.args;
    const shape = shapePacked(qkv, options);
    const addresses = packedParts(read(machine, qkv), shape);
    return attended(machine, call, { shape, mask, options }, addresses);
  },
  backward: (machine, { g, y, saved, args: [qkv, mask, options] }) => {
    const shape = shapePacked(qkv, options);
    const [pg, px] = [read(machine, g), read(machine, qkv)];
    const rows = [y, saved.largest, saved.mass].map((x) => read(machine, x));
    const dqkv = makeLike(machine, qkv);
    const addresses = [pg, ...packedParts(px, shape), ...rows, ...packedParts(dqkv.at, shape)];
    runBackward(machine, { shape, mask, options }, ...addresses);
    return [dqkv];
  },
};

// --- A cache -----------------------------------------------------------------------------------------

type UpdateRules = Required<UpdateRulesOf<Machine, WasmBuffer, typeof updates>>;

export const attendNext: UpdateRules["attendNext"] = {
  update: (machine, { args: [room, rows, mask, options], outputs }) => {
    const [B = 0, Hkv = 0, S = 0, D = 0] = room[0]?.shape ?? [];
    if (!areFloat32(...room, ...rows) || D > widestHead) return null;
    const { wasm, memory } = machine;
    const { heads: H, offset, starts } = options;
    const [q = 0, ...fresh] = rows.map((row, i) => read(machine, row) + 4 * (starts[i] ?? 0));
    const [width = 0, ...steps] = rows.map((row) => sideOf(row, -1));
    const k: Strides = [Hkv * S * D, S * D, D];
    const addresses = room.map((x, i) => {
      const at = read(machine, x);
      const sizes = [B, Hkv, D];
      const from = [steps[i] ?? 0, D, 1];
      wasm.stridedCopy(fresh[i] ?? 0, at + 4 * offset * D, sizes, from, [k[0], k[1], 1]);
      memory.wrote(bufferOf(x));
      return at;
    });
    const y = makeLike(machine, outputs[0] as Spec);
    const masses = wasm.alloc(8 * B * H);
    addresses.push(y.at, masses, masses + 4 * B * H);
    const shape = { B, H, Hkv, T: 1, S, D, q: [width, D, 0], k, o: [H * D, D, 0] } as const;
    runForward(machine, { shape, mask, options }, q, ...addresses);
    wasm.free(masses, 8 * B * H);
    return [y];
  },
};

export const attentionRules: WasmRules = { scaledDotProductAttention, packedAttention };
