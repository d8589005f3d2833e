// The words that the page uses, each explained in a sentence, for who has never met a reward model. Next: app.tsx.

import type { JSX } from "preact";

const words: Readonly<Record<string, string>> = {
  "hidden state":
    "the numbers, 48 here, that the transformer makes for each token; both heads read them",
  head: "a small last layer: one says which token comes next, the other gives a reward, one number for a whole answer, read at its last token",
  "reward loss":
    "Bradley and Terry's: −ln σ(reward of the preferred answer − reward of the other); plain Bradley-Terry is trained by it alone",
  "text loss":
    "asks the language head to go on predicting text; GRM is a reward model with both losses",
  SFT: "the text loss that keeps the preferred answer likely",
  DPO: "the text loss that makes the preferred answer likelier than the other, counted from the base; DPO-noref: not counted from it",
  perplexity:
    "among how many equally likely tokens the language head hesitates; 159 is blind guessing",
  surprise: "−ln of the probability that a token was given, in nats; 8 nats are 1 in 3,000",
  "in distribution": "test pairs drawn like those that were learnt from",
  "out of distribution":
    "other animals, words that no preference showed, other sentences, and all at once",
  "95 % interval": "[low, high]: where the value lies as far as this many pairs or seeds can say",
  seed: "a number that decides all that is drawn by chance; same seed, same training",
  "gradient, push": "by how much a loss rises with each number; training pushes it the other way",
};

/** A list that opens. */
export function Words(): JSX.Element {
  return (
    <details class="words">
      <summary>Words on this page</summary>
      <dl>
        {Object.entries(words).map(([word, meaning]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
