// grm: the reward model with two heads. Its losses and regularisers, preference data, trainer,
// evaluation and inspection will live here; so far there is the command line alone (cli.ts). May
// import nn and core, never kernels. Next: cli.ts.

export {};
