// Words come back: what a word was encoded to is remembered, up to a bound. Next: bpe.ts.

const mostWords = 2 ** 16;
const longest = 32; // longer words hardly come back

/** The same function, which remembers what it returned for short words. */
export function remembering(
  encode: (word: string) => readonly number[],
): (word: string) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  return (word) => {
    const found = known.get(word);
    if (found !== undefined) return found;
    const ids = encode(word);
    if (word.length <= longest) {
      if (known.size >= mostWords) known.clear();
      known.set(word, ids);
    }
    return ids;
  };
}
