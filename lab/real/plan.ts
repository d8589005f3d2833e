// The experiments on real preference data, as data: which bases are pretrained, which reward models are
// trained from them on which pairs, and what they are tested on. hhh-alignment and MT-bench are the paper's
// own two out-of-distribution sets and are for testing only.
// Next: run.ts, which carries it out with the project's own commands, and tables.ts.

/** Human preferences between answers in conversations; the training split of each is trained on. */
export const conversations = [
  "hh-rlhf/pairs.jsonl.gz",
  "qa-feedback/pairs.jsonl.gz",
  "pandalm-test/pairs.jsonl.gz",
];

const sentences = "vader-icwsm2014/pairs.jsonl.gz";

/** Options of a command, as they are written behind it. */
export type Flags = readonly string[];

export interface Base {
  readonly name: string;
  readonly corpus: "general" | "reviews";
  /** The base that it goes on from. */
  readonly from?: string;
  readonly flags: Flags;
}

const reading = ["--context", "512", "--batch-size", "4", "--validate-every", "250"];

export const bases: readonly Base[] = [
  {
    name: "general",
    corpus: "general",
    flags: ["--steps", "2000", "--vocab-size", "2048", "--dim", "64", "--layers", "3", ...reading],
  },
  {
    name: "reviews",
    corpus: "reviews",
    from: "general",
    flags: ["--steps", "1000", "--lr", "1e-3", "--batch-size", "4"],
  },
];

/** Preference data: its files, and the flags with which they are read. */
export interface Test {
  readonly name: string;
  readonly files: readonly string[];
  readonly flags: Flags;
}

/** What was chosen on the development seed: the rate, and the weight of the text-generation loss. */
type Chosen = Readonly<Record<"lr" | "alpha", number>>;

/** What is learnt from, and how; and what is tested. */
export interface Experiment extends Test, Chosen {
  readonly base: string;
  readonly seeds: readonly number[];
  /** Shares of the training labels that are flipped. */
  readonly flips: readonly number[];
  readonly validation: Flags;
  readonly tests: readonly Test[];
}

const where = (field: string): Flags => ["--where", field];
const inDomain = (split: string) => ["--validation-where", `split=${split}`];

const sentenceTests: readonly Test[] = [
  { name: "films (in distribution)", files: [sentences], flags: where("split=test") },
  { name: "Amazon", files: [sentences], flags: where("domain=amazon") },
  { name: "tweets", files: [sentences], flags: where("domain=tweets") },
];

/** Film sentences, which of two was rated higher: trained on `pairs`, tested on other kinds of text too. */
function films(
  pairs: number,
  epochs: number,
  settings: Pick<Experiment, "lr" | "alpha" | "seeds">,
) {
  return {
    name: `films-${pairs}`,
    base: "reviews",
    files: [sentences],
    flags: [...where("split=train"), "--limit", String(pairs), "--epochs", String(epochs)],
    flips: [0, 0.25],
    validation: inDomain("valid"),
    tests: sentenceTests,
    ...settings,
  };
}

/** The seed on which settings are chosen; the tables are of other ones. */
export const developmentSeed = 0;

export const experiments: readonly Experiment[] = [
  films(400, 4, { lr: 1e-3, alpha: 0.01, seeds: [1, 2, 3, 4, 5] }),
  films(10_000, 1, { lr: 1e-3, alpha: 0.01, seeds: [1, 2, 3] }),
  {
    name: "conversations",
    base: "general",
    files: conversations,
    flags: [...where("split=train"), "--max-length", "384", "--truncation", "prompt"],
    validation: inDomain("valid"),
    lr: 1e-3,
    alpha: 0.01,
    seeds: [1, 2, 3],
    flips: [0],
    tests: [
      {
        name: "the same sources (in distribution)",
        files: conversations,
        flags: where("split=test"),
      },
      {
        name: "hhh-alignment",
        files: ["hhh-alignment/pairs.jsonl.gz"],
        flags: ["--max-length", "512"],
      },
      {
        name: "MT-bench, human majority",
        files: ["mt-bench-human/pairs-majority.jsonl.gz"],
        flags: ["--max-length", "512", "--truncation", "answer"],
      },
    ],
  },
];

export const arms = ["bt", "grm-sft"] as const;
export type ArmName = (typeof arms)[number];
