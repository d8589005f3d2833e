// npm run demo: the command `twoheads demo`, with everything behind it handed on. It asks what a
// text-generation loss does to a reward model, and answers from what it has just trained.
// Next: commands/demo.ts.

process.argv.splice(2, 0, "demo");
await import(new URL("./bin.js", import.meta.url).href);

export {};
