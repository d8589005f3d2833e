// Each thread runs its own instance of the module over the one shared memory, and a global belongs
// to an instance. So a thread's scratch memory is a global: the host allocates a piece per thread
// and hands it over once.
// Read next: threads.ts.

let start: usize = 0;

/**
 * Where this thread's scratch memory starts; 64-byte aligned. Its first 128 bytes belong to
 * matmul's edge tiles.
 */
@inline
export function scratch(): usize {
  return start;
}

export function setScratch(p: usize): void {
  start = p;
}

/**
 * Whether the engine joins pairs of vectors: then products have a tile for them. Not for bits: those are the
 * same.
 */
export let wide: bool = false;

export function setWide(isWide: bool): void {
  wide = isWide;
}

/** The first byte that the module's own constants leave free. */
export function heapBase(): usize {
  return __heap_base;
}
