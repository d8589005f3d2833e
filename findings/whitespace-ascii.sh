#!/usr/bin/env bash
# Expected: one tokenizer.json gives the same ids in Hugging Face's JavaScript and Rust libraries.
# Seen: the pre-tokenizer "Whitespace" is \w+|[^\w\s]+. In Rust \w is any letter of Unicode; in JavaScript
# (@huggingface/tokenizers 0.2.0) it is ASCII, so that "café" is cut into "caf" and "é", which a WordLevel
# vocabulary doesn't hold; and what it doesn't hold is null among the ids there, where Rust (tokenizers
# 0.22.1) would use the model's own unk_token.
# Matters: word-level and WordPiece tokenizers of every language but English, in silence.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' > package.json
npm install --silent --no-audit --no-fund @huggingface/tokenizers@0.2.0
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install tokenizers==0.22.1
cat > tokenizer.json <<'JSON'
{ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
  "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
  "model": { "type": "WordLevel", "vocab": { "[UNK]": 0, "le": 1, "café": 2 }, "unk_token": "[UNK]" } }
JSON
cat > program.js <<'PROGRAM'
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
const tokenizer = new Tokenizer(JSON.parse(readFileSync("tokenizer.json", "utf8")), {});
const { ids, tokens } = tokenizer.encode("le café");
console.log(JSON.stringify(ids), tokens.join(" "));
PROGRAM
cat > program.py <<'PROGRAM'
from tokenizers import Tokenizer
found = Tokenizer.from_file("tokenizer.json").encode("le café")
print(found.ids, *found.tokens)
PROGRAM
js=$(node program.js)
rust=$(python/bin/python program.py)
echo "@huggingface/tokenizers 0.2.0: $js"
echo "tokenizers 0.22.1 (Rust):      $rust"
[ "$js" = "[1,null,null] le caf é" ] && [ "$rust" = "[1, 2] le café" ]
