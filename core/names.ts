// "Did you mean": the option that a wrong name stands for. Other spellings (keepdim, ignore_index), what
// PyTorch and NumPy call the same thing, and slips of the keyboard. Next: signature.ts, which asks.

/** What others call an option, without underscores and capitals, and all that it may be called here. */
const otherNames = new Map<string, readonly string[]>();

/** Other libraries' names as "theirs:ours", ours being one name, or several in the order of preference. */
export function alsoCalled(pairs: string): void {
  for (const pair of pairs.split(" ")) {
    const [theirs = "", ours = ""] = pair.split(":");
    otherNames.set(theirs, ours.split(","));
  }
}

alsoCalled(
  "axis:dim,dims axes:dims,dim attnmask:mask attentionmask:mask " +
    "ddof:correction unbiased:correction ord:p eps:step generator:rng seed:rng " +
    "depth:classes minval:low maxval:high",
);

function bare(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** How many letters two names begin with in common. */
function common(a: string, b: string): number {
  let count = 0;
  while (count < a.length && a[count] === b[count]) count++;
  return count;
}

/**
 * The known name that a wrong one most likely stands for: `keepdim` for keepDims; undefined if none does.
 * Where several may be meant, one that `fits`.
 */
export function meant(
  name: string,
  known: readonly string[],
  fits: (known: string) => boolean = () => true,
): string | undefined {
  const own = bare(name);
  const spellings = [own, own.replace(/^(is|num|n)/, ""), `${own}s`];
  const ours = (otherNames.get(own) ?? []).filter((other) => known.includes(other));
  return (
    known.find((other) => spellings.includes(bare(other))) ??
    ours.find(fits) ??
    ours[0] ??
    known.find((other) => common(own, bare(other)) > 2)
  );
}
