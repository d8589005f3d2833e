// npm keeps flags that stand before `--` for itself: of `npm run walkthrough 1 --solutions` the script gets
// the 1 alone, and --solutions only as npm_config_solutions in its environment. Here such flags are read
// back, so that nobody's flag is dropped in silence.
// Next: ../walkthroughs/run.ts, ../test/run.ts and cli.ts, which ask for theirs.

import { ArgumentError } from "../core/index.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The flags that npm took, as the script would have got them: ["--quick", "--seeds=5"]. `switches` have no
 * value ("--quick", "--no-policies"), `valued` have one ("--seeds"). Of `--seeds 5` npm passes on a bare 5
 * in a place that nobody knows any more: an ArgumentError, which says what to write.
 */
export function flagsTakenByNpm(
  switches: readonly string[],
  valued: readonly string[] = [],
  environment: Environment = process.env,
): string[] {
  const valueOf = (flag: string): string | undefined =>
    environment[`npm_config_${flag.replace(/^--(no-)?/, "").replaceAll("-", "_")}`];
  const isOff = (value: string | undefined): boolean => value === "" || value === "false";
  const plain = switches.filter((flag) => {
    const value = valueOf(flag);
    return flag.startsWith("--no-") ? isOff(value) : value !== undefined && !isOff(value);
  });
  const others = valued.flatMap((flag) => {
    const value = valueOf(flag);
    if (value === undefined || isOff(value)) return [];
    if (value !== "true") return [`${flag}=${value}`];
    const script = environment.npm_lifecycle_event ?? "";
    throw new ArgumentError(
      `npm took ${flag} for itself; write flags behind two dashes: npm run ${script} -- ${flag} VALUE`,
    );
  });
  return [...plain, ...others];
}
