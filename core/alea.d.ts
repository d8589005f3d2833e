// Types of the one file of seedrandom that random.ts needs; the package brings none.

declare module "seedrandom/lib/alea.js" {
  interface State {
    c: number;
    s0: number;
    s1: number;
    s2: number;
  }
  interface Generator {
    /** Uniform in [0, 1), 53 bits. */
    double(): number;
    state(): State;
  }
  function alea(seed: string, options: { state: Readonly<State> | true }): Generator;
  export = alea;
}
