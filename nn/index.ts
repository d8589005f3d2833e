// nn: neural networks on top of core. The module tree, layers, attention, transformer, LSTM, LoRA,
// optimisers, tokenizers, sampling and checkpoints will live here; nothing does yet. May import core,
// never kernels. Next: ../core/index.ts.

export {};
