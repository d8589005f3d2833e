#!/usr/bin/env bash
# Expected: a chat template writes the same text in Hugging Face's JavaScript jinja as in Python's, or raises an error.
# Seen (@huggingface/jinja 0.5.11, jinja2 3.1.6 set up as transformers does): these differ in silence. A None is printed as
# nothing and "None"; true and True; ['a', None] as ["a", null] and ['a', None]; two equal lists or objects are not equal
# in JavaScript; -7 % 3 is -1 and 2; 'hELLO' capitalized stays and is Hello; '12abc' as an int is 12 and 0; a number
# 1.0 of a tool's JSON is 1 and 1.0, through tojson too.
# Matters: templates that print an absent field (role: None), a list of tools without tojson, or compare the system
# message's parts write other tokens for training in one language than for serving in the other.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
echo '{ "private": true, "type": "module" }' > package.json
npm install --silent --no-audit --no-fund @huggingface/jinja@0.5.11
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install jinja2==3.1.6
cat > cases.json <<'JSON'
[["{{ x }}", {"x": null}], ["{{ x }}", {"x": true}], ["{{ x }}", {"x": ["a", null]}],
 ["{% if x == y %}same{% else %}other{% endif %}", {"x": [1], "y": [1]}],
 ["{% if x == y %}same{% else %}other{% endif %}", {"x": {"a": 1}, "y": {"a": 1}}],
 ["{{ -7 % 3 }}", {}], ["{{ x | capitalize }}", {"x": "hELLO"}], ["{{ x | int }}", {"x": "12abc"}],
 ["{{ x | tojson }}", {"x": 1.0}]]
JSON
cat > program.mjs <<'PROGRAM'
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";
const cases = JSON.parse(readFileSync("cases.json", "utf8"));
console.log(JSON.stringify(cases.map(([text, values]) => new Template(text).render(values))));
PROGRAM
cat > program.py <<'PROGRAM'
import json
from jinja2.sandbox import ImmutableSandboxedEnvironment
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
environment.filters["tojson"] = lambda x: json.dumps(x, ensure_ascii=False)
cases = json.load(open("cases.json"))
print(json.dumps([environment.from_string(text).render(**values) for text, values in cases]))
PROGRAM
node program.mjs | tee js.json
python/bin/python program.py | tee py.json
diff js.json - <<'SEEN'
["","true","[\"a\", null]","other","other","-1","HELLO","12","1"]
SEEN
diff py.json - <<'SEEN'
["None", "True", "['a', None]", "same", "same", "2", "Hello", "0", "1.0"]
SEEN
