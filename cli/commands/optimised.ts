// What bon, ppo and rloo have in common: a task to write for, a policy that writes, and a judge that is
// optimised: the gold reward, reward models from folders, or one that is trained now on synthetic
// preferences. Next: bon.ts, ppo.ts.

import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import * as z from "zod";
import { ArgumentError, random } from "../../core/index.ts";
import { type EnsembleRule, ensembleRules } from "../../grm/ensemble.ts";
import { type Answer, ensembleJudge, type Judge } from "../../grm/policies/judges.ts";
import { sampleAnswers, syntheticPreferences } from "../../grm/policies/preferences.ts";
import { Proxies, type ProxyName, proxyNames } from "../../grm/policies/proxies.ts";
import type { Task } from "../../grm/policies/task.ts";
import { textJudge } from "../../grm/textScores.ts";
import { fullPlan, proxyTraining } from "../../lab/overopt/plan.ts";
import { storiesFiles, storiesTask } from "../../lab/overopt/stories.ts";
import { worldTask } from "../../lab/overopt/tasks.ts";
import { pretrainBase, worldNamed, worlds } from "../../lab/worlds/index.ts";
import { fileExists, joinPath } from "../../nn/checkpoints/files.ts";
import type { CausalLM } from "../../nn/index.ts";
import { saveCausalLM, saveTokenizer } from "../../nn/node.ts";
import { Lock } from "../../nn/run/lock.ts";
import { breathe } from "../../nn/run/loop.ts";
import { baseFolder } from "./bases.ts";
import { wholeNumber } from "./numbers.ts";
import { openCausalLM, openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";

export interface OptimisedFlags extends UnfinishedFlag {
  readonly task: string;
  readonly policy?: string | undefined;
  readonly data?: string | undefined;
  readonly judge: "gold" | ProxyName;
  readonly reward?: readonly string[] | undefined;
  readonly rule: EnsembleRule;
  readonly pairs: number;
  readonly flips: number;
  readonly sharpness?: number | undefined;
  readonly proxyLr?: number | undefined;
  readonly proxySeed: number;
}

/** The flags as run.json keeps them. */
export const optimisedSchema = z.object({
  task: z.string(),
  policy: z.string().optional(),
  data: z.string().optional(),
  judge: z.enum(["gold", ...proxyNames]),
  reward: z.array(z.string()).optional(),
  rule: z.enum(ensembleRules),
  pairs: z.number(),
  flips: z.number(),
  sharpness: z.number().optional(),
  proxyLr: z.number().optional(),
  proxySeed: z.number(),
  unfinished: z.boolean().optional(),
});

const stories = "stories";

/** Adds the options. */
export function addOptimisedOptions(command: Command): Command {
  const tasks = [...Object.keys(worlds), stories];
  return command
    .addOption(
      new Option(
        "--task <name>",
        "what answers are written to: titles of a demo world, or first sentences of stories",
      )
        .choices(tasks)
        .default("tales"),
    )
    .option(
      "--policy <folder>",
      "language model that writes the answers: a folder or a base's name (default: the task's own base)",
      baseFolder,
    )
    .option(
      "--data <folder>",
      "data of the task stories: a folder with stories260k, tinystories and sentiment-lexicons (default: $TWOHEADS_DATA)",
    )
    .addOption(
      new Option(
        "--judge <name>",
        "reward that is optimised: the true one (gold), or a proxy that is trained now",
      )
        .choices(["gold", ...proxyNames])
        .default("bt"),
    )
    .option(
      "--reward <folders...>",
      "folders of reward models to optimise in place of --judge; several make an ensemble",
    )
    .addOption(
      new Option("--rule <name>", "how the rewards of an ensemble of --reward become one number")
        .choices([...ensembleRules])
        .default("mean"),
    )
    .option(
      "--pairs <number>",
      "number of preference pairs that a proxy learns from",
      wholeNumber,
      fullPlan.pairs,
    )
    .option(
      "--flips <share>",
      "share of the preference pairs whose labels are flipped, as noise",
      amount,
      fullPlan.flips,
    )
    .option(
      "--sharpness <number>",
      "factor on the gold difference that labels are drawn by; larger means surer labels (default: 1, for stories 4)",
      amount,
    )
    .option(
      "--proxy-lr <number>",
      "learning rate that a proxy is trained at (default: 0.01, for stories 0.001)",
      amount,
    )
    .option("--proxy-seed <number>", "seed of the preference pairs and of the proxy", amount, 0)
    .addOption(unfinishedOption());
}

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < Infinity) return value;
  throw new InvalidArgumentError("Not a number >= 0.");
}

/** Who takes part. */
export interface Participants {
  readonly task: Task;
  /** A fresh copy of the policy at every call. */
  readonly policy: () => CausalLM;
  readonly judge: Judge;
}

/** The files and folders that the flags lead to, once they are there. */
export function filesOf(flags: OptimisedFlags): readonly string[] {
  const { task, policy, reward = [], data = "" } = flags;
  const own = policy === undefined ? [] : [policy];
  if (task !== stories) return [...own, ...reward];
  return [...storiesFiles(data).slice(0, policy === undefined ? undefined : -1), ...own, ...reward];
}

/** The flags with paths that hold from every folder, and with those that nobody named. */
export function settled(flags: OptimisedFlags): OptimisedFlags {
  const { task, policy, reward, data = process.env.TWOHEADS_DATA } = flags;
  const isText = task === stories;
  const base = policy ?? (isText ? undefined : worldFolder(task));
  return {
    ...flags,
    policy: base && resolve(base),
    data: isText && data !== undefined ? resolve(data) : undefined,
    reward: reward?.map((folder) => resolve(folder)),
  };
}

/** Makes what the flags say; `say` tells a person what happens meanwhile. */
export async function optimised(
  flags: OptimisedFlags,
  say: (message: string) => void,
): Promise<Participants> {
  const { task, policy } = await taskOf(flags, say);
  const lm = policy();
  const [known, wanted] = [lm.model.vocabSize, task.tokenizer.vocabSize];
  if (known !== wanted) {
    throw new ArgumentError(
      `the policy knows ${known} tokens, the task "${task.name}" has ${wanted}; they don't belong together`,
    );
  }
  return { task, policy, judge: await judgeOf(flags, task, policy, say) };
}

async function taskOf(flags: OptimisedFlags, say: (message: string) => void) {
  const { policy: folder, data = process.env.TWOHEADS_DATA } = flags;
  const own = folder === undefined ? undefined : () => openCausalLM(folder, flags);
  if (flags.task !== stories) {
    if (folder === undefined || folder === resolve(worldFolder(flags.task)))
      await makeWorldBase(flags.task, say);
    const policy = own ?? (() => openCausalLM(worldFolder(flags.task), flags));
    return { task: worldTask(worldNamed(flags.task)), policy };
  }
  if (data === undefined) {
    throw new ArgumentError(
      "task stories: name the folder of shared data, --data or $TWOHEADS_DATA",
    );
  }
  const task = storiesTask(data);
  return { task, policy: own ?? task.model };
}

/** Where `twoheads base` puts the base of a world. */
const worldFolder = (name: string): string => joinPath("runs", `base-${name}-0`);

/** Pretrains the base of a world where `twoheads base` puts it, unless it is there. */
async function makeWorldBase(name: string, say: (message: string) => void): Promise<void> {
  const folder = worldFolder(name);
  if (fileExists(joinPath(folder, "model.safetensors"))) return;
  const lock = Lock.ofFolder(folder);
  try {
    const world = worldNamed(name);
    say(`pretraining a base for "${name}" into ${folder}, once`);
    const lm = await pretrainBase(world, 0, breathe);
    await saveTokenizer(folder, world.tokenizer);
    await saveCausalLM(folder, lm, world.tokenizer.special); // the weights last: they say that it is there
  } finally {
    lock.release();
  }
}

async function judgeOf(
  flags: OptimisedFlags,
  task: Task,
  base: () => CausalLM,
  say: (message: string) => void,
): Promise<Judge> {
  const { reward, judge, proxySeed } = flags;
  const rng = random(`proxy ${proxySeed}`);
  const calibrate = (): Promise<Answer[]> => {
    const prompts = task.prompts(20, rng.fork("calibration"));
    return sampleAnswers(base(), prompts, task, { samples: 20, rng: rng.fork("calibration") });
  };
  if (reward !== undefined) return fromFolders(reward, flags, task, calibrate);
  if (judge === "gold") return task.gold;
  const isText = task.name === stories; // whose gold varies less, and whose policy is larger
  const { pairs, flips, sharpness = isText ? 4 : 1, proxyLr = isText ? 1e-3 : fullPlan.lr } = flags;
  const made = await syntheticPreferences(task, base(), { count: pairs, flips, sharpness, rng });
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  say(
    `${pairs} preference pairs, labels right: ${percent(made.rightBefore)}, after ${percent(flips)} flips ` +
      `${percent(made.right)}; ${made.ties} pairs of equal gold left out`,
  );
  const proxies = new Proxies({
    base,
    pairs: made.pairs,
    ...proxyTraining({ ...fullPlan, lr: proxyLr }),
    seed: proxySeed,
    calibration: await calibrate(),
  });
  return proxies.judge(judge);
}

async function fromFolders(
  folders: readonly string[],
  { rule, ...flag }: OptimisedFlags,
  { tokenizer }: Task,
  calibrate: () => Promise<Answer[]>,
): Promise<Judge> {
  const opened = folders.map((folder) => openRewardModel(folder, flag)); // strictly: every weight, or an error
  const judges = opened.map((one, i) => textJudge(folders[i] ?? "", one, tokenizer));
  const [judge] = judges;
  if (judges.length === 1 && judge !== undefined) return judge;
  const models = opened.map(({ model }) => model);
  return ensembleJudge(`ensemble ${rule}`, models, {
    rule,
    calibration: await calibrate(),
    judges,
  });
}
