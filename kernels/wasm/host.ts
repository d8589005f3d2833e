// The host's own types that the kernels' public types name. A project may be compiled without the DOM's
// types and without Node's: then each stands for the little that is used of it here, and else for itself.
// Next: module.ts.

/** A URL. */
export type HostURL = typeof globalThis extends { URL: { prototype: infer T } }
  ? T
  : { readonly href: string };

/** A WebAssembly.Memory. */
export type HostMemory = typeof globalThis extends {
  WebAssembly: { Memory: { prototype: infer T } };
}
  ? T
  : { readonly buffer: ArrayBufferLike; grow(pages: number): number };

/** A WebAssembly.Module: compiled, not yet running. */
export type HostModule = typeof globalThis extends {
  WebAssembly: { Module: { prototype: infer T } };
}
  ? T
  : object;
