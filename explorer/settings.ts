// What a reader can choose, as a table: each setting with its choices and its default. Controls are drawn from
// it, addresses hold it whole, and an address that says something else than a choice is told so.
// Next: liveTraining.ts, which trains with these settings; code.ts, which writes them down as a program.

/** A setting: what it is called on the page, what it may be, and what it is unless said. */
interface Choice<T> {
  readonly label: string;
  readonly values: readonly T[];
  readonly initial: T;
  /** What it does, in a sentence. */
  readonly help: string;
}

const choice = <T>(
  label: string,
  values: readonly T[],
  initial: NoInfer<T>,
  help: string,
): Choice<T> => ({
  label,
  values,
  initial,
  help,
});

/** The regularisers by their names on the page. */
export const regularisers = {
  bt: "none",
  "grm-sft": "SFT",
  "grm-dpo-noref": "DPO-noref",
  "grm-dpo": "DPO",
} as const;

/** How the second model is regularised; "bt" is not at all. */
export type Regulariser = keyof typeof regularisers;

/** All settings of a training in the explorer, in the order of the controls. */
export const choices = {
  method: choice(
    "Regulariser",
    Object.keys(regularisers) as Regulariser[],
    "grm-sft",
    "the text loss of the second model: it keeps predicting text while it learns the reward",
  ),
  alpha: choice(
    "alpha α",
    [0, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97],
    0.5,
    "share of the text loss: (1 - α) reward loss + α text loss",
  ),
  lr: choice(
    "Learning rate",
    [3e-4, 7e-4, 2e-3, 5e-3, 1e-2],
    5e-3,
    "of both models: 7e-4 is gentle here, 5e-3 is hot",
  ),
  beta: choice(
    "beta β",
    [0.03, 0.1, 0.3, 1],
    0.1,
    "inside the sigmoid of the text loss: how long it goes on pushing",
  ),
  head: choice(
    "Reward head",
    ["linear", "mlp"] as const,
    "linear",
    "one matrix, or one hidden layer with dropout 0.1 as in the paper",
  ),
  pairs: choice("Pairs", [100, 250, 500, 1000], 500, "preferences to learn from, four times each"),
  flips: choice("Labels flipped", [0, 0.1, 0.25, 0.4], 0, "share of the preferences turned around"),
  seed: choice(
    "Seed",
    [1, 2, 3, 4, 5, 6, 7, 8],
    1,
    "what chance decides: the pairs, the reward head, their order",
  ),
  base: choice("Base", [1, 2], 1, "the language model that both begin as; two were pretrained"),
} as const;

type Choices = typeof choices;

/** The name of a setting. */
export type SettingName = keyof Choices;

/** One training of the explorer: a plain model and a regularised one from the same base. */
export type ExplorerSettings = {
  readonly [K in SettingName]: Choices[K] extends Choice<infer T> ? T : never;
};

export const settingNames = Object.keys(choices) as SettingName[];

/** What is trained unless somebody chooses otherwise. */
export const initialSettings: ExplorerSettings = Object.fromEntries(
  settingNames.map((name) => [name, choices[name].initial]),
) as ExplorerSettings;

/** The choice that a text means; undefined if it means none. */
function chosen<K extends SettingName>(name: K, text: string): ExplorerSettings[K] | undefined {
  const values: readonly (string | number)[] = choices[name].values;
  const found = values.find((value) =>
    typeof value === "number" ? text.trim() !== "" && Number(text) === value : text === value,
  );
  return found as ExplorerSettings[K] | undefined;
}

/** Settings from an address's parameters, and in a sentence each what in it is no setting. */
export function settingsFromQuery(query: URLSearchParams): {
  readonly settings: ExplorerSettings;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const found: Partial<Record<SettingName, string | number>> = {};
  for (const [name, text] of query) {
    if (!settingNames.includes(name as SettingName)) {
      problems.push(`The address sets "${name}", which is no setting; it was left out.`);
      continue;
    }
    const value = chosen(name as SettingName, text);
    if (value !== undefined) found[name as SettingName] = value;
    else {
      const { label, initial, ...of } = choices[name as SettingName];
      const values: readonly (string | number)[] = of.values;
      const listed = values.map(valueText).join(", ");
      problems.push(
        `${label} is "${text}" in the address; it can be ${listed}, and ${valueText(initial)} was taken.`,
      );
    }
  }
  return { settings: { ...initialSettings, ...found } as ExplorerSettings, problems };
}

/** All settings as an address's parameters. */
export function queryOf(settings: ExplorerSettings): URLSearchParams {
  return new URLSearchParams(settingNames.map((name) => [name, valueText(settings[name])]));
}

/** A value as people write it: 5e-3, 0.5, linear. */
export function valueText(value: string | number): string {
  if (typeof value === "string" || value === 0 || value >= 0.01) return String(value);
  return value.toExponential().replace("e+0", "");
}

/** What the models write stories about: one place that preferences are about, and one that they aren't. */
export const storyTitles = ["fox woods", "sailor harbor"] as const;

/** What stories of the hidden-state view are coloured by: parts of the gold reward, and the whole. */
export const features = [
  "gold reward",
  "hero's pleasant words",
  "hero's unpleasant words",
  "others' balance",
] as const;

export type StoryFeature = (typeof features)[number];

/** How many pairs are looked at of those like the training's, and of those most unlike it. */
export const pairsOfEach = 12;

/** What the plane of the hidden states is made of. */
export const planes = {
  reward: "the base's main direction, and the reward upwards",
  base: "the base's two main directions",
} as const;

export type PlaneName = keyof typeof planes;

/** A prompt, who and where, and two answers to it, as somebody typed them. */
export interface TypedText {
  readonly prompt: string;
  readonly answers: readonly [string, string];
}

/** What stands there before anybody types: the hero is well off in the first answer, others in the second. */
export const initialText: TypedText = {
  prompt: "fox woods",
  answers: [
    "the fox was ra-mor. the fox ni-lin gu-kas. the owl ra-py in the woods.",
    "the fox was ka-ter. the fox ni-ven do-kas. the owl ni-lin in the woods.",
  ],
};

/** Who chooses the best of n answers: two proxies, and the truth. */
export const chooserNames = ["bt", "grm-sft", "gold"] as const;

export type OveroptChooser = (typeof chooserNames)[number];

/** Blocks of the models on the page, and heads of each. */
export const blockCount = 3;
export const headCount = 4;

/** Titles that answers are written to, and how many sizes of n there are. */
export const overoptPrompts = 10;
export const overoptSizes = 16;

/** What decides a tape: the loss on it, and the seed of the rule that is wrong on purpose; 0 for none. */
export interface TapeSettings extends Pick<ExplorerSettings, "method" | "alpha" | "beta"> {
  readonly bug: number;
}

/** Seeds of planted bugs; 0 for none. */
export const bugSeeds: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/** Steps of differences, from large to small: two for each power of ten. */
export const epsilons: readonly number[] = Array.from({ length: 15 }, (_, i) => 10 ** (-1 - i / 2));
