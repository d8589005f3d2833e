#!/usr/bin/env bash
# Expected: an added token of a tokenizer.json has the id that the file gives it, and decodes to the text that the file
# gives it.
# Seen (tokenizers 0.23.3, Python): the id in the file is ignored where it isn't the next free one: 40 becomes 4 in a vocabulary of
# four, without a warning. An added token with "normalized": true decodes as what the normalizer made of it, so that "AbC"
# under Lowercase comes back as "abc"; being special doesn't help, and skip_special_tokens leaves it in the text.
# Matters: files whose ids have gaps (tokens removed by hand, vocabularies padded to a round size) give other ids than the model
# was trained with; readers in other languages that take the file at its word differ in silence.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install tokenizers==0.23.3
cat > program.py <<'PROGRAM'
import json
import tokenizers

def reading(added, normalizer=None):
    words = {"a": 0, "b": 1, "[UNK]": 2, "c": 3}
    return tokenizers.Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [added], "normalizer": normalizer,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}}))

def token(**fields):
    return {"id": 4, "content": "AbC", "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **fields}

print("id 40 in the file:", reading(token(id=40)).encode("a AbC").ids)
plain, normal = reading(token(), {"type": "Lowercase"}), reading(token(normalized=True), {"type": "Lowercase"})
print("as it is:  ", plain.encode("a AbC").ids, repr(plain.decode([0, 4], skip_special_tokens=False)),
      repr(plain.decode([0, 4], skip_special_tokens=True)))
print("normalized:", normal.encode("a AbC").ids, repr(normal.decode([0, 4], skip_special_tokens=False)),
      repr(normal.decode([0, 4], skip_special_tokens=True)))
PROGRAM
python/bin/python program.py | tee seen.txt
diff seen.txt - <<'SEEN'
id 40 in the file: [0, 4]
as it is:   [0, 4] 'a AbC' 'a'
normalized: [0, 4] 'a abc' 'a abc'
SEEN
