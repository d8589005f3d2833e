// The files of a base that come with the lessons' pages: the build copies them, and node.ts fetches them.
// Next: node.ts.

export const baseFiles = [
  ...["config.json", "model.safetensors"],
  ...["tokenizer.json", "tokenizer_config.json"],
] as const;
