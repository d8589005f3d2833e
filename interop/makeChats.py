"""Makes test/golden/chats.json: conversations by templates of our own, each in Jinja, with the texts and ids
that transformers gives for them, and expressions with what Python's jinja prints.

  python interop/makeChats.py > test/golden/chats.json
"""

import json
import transformers
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import _compile_jinja_template

letters = [chr(b) if 33 <= b < 127 or 161 <= b < 256 and b != 173 else None for b in range(256)]
spare = 256
for byte in range(256):
    if letters[byte] is None:
        letters[byte] = chr(spare)
        spare += 1
special = ["<s>", "</s>", "<|turn|>", "<|end|>", "[ASK]", "[/ASK]"]
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
tokenizer = {
    "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
    "added_tokens": [dict(id=256 + i, content=c, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, c in enumerate(special)],
    "model": {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False, "vocab": {t: i for i, t in enumerate(letters)}, "merges": []},
}

templates = {
    "turns with marks": "{% for message in messages %}{{ '<|turn|>' + message['role'] + '\n' + message['content'] + '<|end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}",
    "trimmed, with a begin": """{{ bos_token }}
{%- for m in messages %}
    {%- if m.role == 'system' %}
        {{- '<|turn|>system: ' ~ (m.content | trim) }}
    {%- else %}
        {{- '<|turn|>' ~ m.role ~ '\\n\\n' ~ m.content | trim ~ '<|end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|turn|>assistant\\n\\n' }}
{%- endif %}
""",
    "asked in brackets": """{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'].strip() + '\\n\\n' %}{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}{% if m['role'] == 'user' %}{{ '[ASK] ' + (first if loop.first else '') + m['content'].strip() + ' [/ASK]' }}{% else %}{{ ' ' + m['content'].strip() + eos_token }}{% endif %}{% endfor %}""",
    "thoughts": """{% set ns = namespace(last=messages | length - 1) %}{% for m in messages %}{% set content = m.content if m.content is string else '' %}{% if m.role == 'assistant' %}{% set thought = '' %}{% if '</think>' in content %}{% set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}{{ '<|turn|>assistant\\n' }}{% if loop.last or thought %}{{ '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}{% endif %}{{ content + '<|end|>\\n' }}{% else %}{{ '<|turn|>' + m.role + '\\n' + content + '<|end|>\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|turn|>assistant\\n' }}{% endif %}""",
}
user = lambda text: {"role": "user", "content": text}
system = lambda text: {"role": "system", "content": text}
assistant = lambda text: {"role": "assistant", "content": text}
conversations = [
    ([user("2 + 2?")], "4."),
    ([system(" Be kind.\n"), user("  Hi!\n")], " Hello.\n"),
    ([user("a"), assistant("b"), user("naïve 日本 😀")], "<think>\n\nhm\n</think>\n\n ok"),
    ([system("S"), user("a"), assistant("b "), user("c")], "d"),
    ([user("Count."), assistant("One, two,")], " three."),
    ([user("a"), user("b")], "c"),
]

made = []
for name, template in templates.items():
    read = Tokenizer.from_str(json.dumps(tokenizer))
    found = PreTrainedTokenizerFast(tokenizer_object=read, bos_token="<s>", eos_token="</s>")
    found.chat_template = template
    cases = []
    for messages, answer in conversations:
        begun = messages[-1]["role"] == "assistant"
        whole = messages[:-1] + [assistant(messages[-1]["content"] + answer)] if begun else messages + [assistant(answer)]
        how = {"continue_final_message": True} if begun else {"add_generation_prompt": True}
        case = {"messages": messages, "answer": answer}
        try:
            case["ids"] = found.apply_chat_template(whole, tokenize=True, return_dict=False)
            case["open"] = found.apply_chat_template(messages, tokenize=True, return_dict=False, **how)
        except Exception as error:
            case["error"] = str(error)
        cases.append(case)
    made.append({"name": name, "template": template, "cases": cases})

expressions = r"""
{{ x.strip('a') }} {{ x.lstrip('a') }} {{ x.rstrip('aX') }} {{ ' a\n'.strip() }}|{{ '\ufeffa' | trim | length }}
{{ '1' == 1 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' != 1 }} {{ none == missing }} {{ none == none }} {{ [1, 'a'] == [1, 'a'] }} {{ d == {'a': 1, 'b': [1, 2]} }}
{{ none }} {{ n }} {{ true }} {{ false }} {{ missing }} {{ [1, 'a', none, true] }} {{ d }} {{ ["it's", 'a"b', '\n'] }}
{{ 'a' ~ 1 ~ none ~ true }} {{ n | string }} {{ n | trim }}
{{ -7 % 3 }} {{ 7 % -3 }} {{ -7 // 2 }} {{ 7 / 2 }}
{{ 'hELLO wORLD' | capitalize }} {{ 'hELLO wORLD'.title() }} {{ 'é😀' | length }}
{{ missing | default('z') }} {{ none | default('z') }} {{ '' | default('z', true) }}
{{ messages[0].get('name') }} {{ messages[0].name is defined }} {{ messages[5] is defined }}
{% for m in messages if m.role == 'user' %}{{ loop.first }}{{ loop.index0 }}{% else %}none{% endfor %}
{% macro f(a, b='q') %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(none, b=2) }}
{% set ns = namespace(k=0) %}{% for m in messages %}{% set ns.k = ns.k + 1 %}{% endfor %}{{ ns.k }} {{ d | tojson }}
{% for m in missing %}{{ m }}{% else %}nobody{% endfor %} {{ 'a' in missing }} {{ missing in messages }} {{ missing not in d }}
{{ missing | selectattr('a') | list }} {{ n | rejectattr('a') | list | length }} {{ n | map(attribute='a') | list }}
{{ '<{}|{}>'.format(1, 'b') }} {{ '{1}{0}{{}}'.format('a', none) }} {{ x.format() }}
{{ d | tojson(indent=2) }} {{ 'é<' | tojson }} {% generation %}{{ x }}{% endgeneration %}
"""
context = dict(messages=[user(" hi\n"), assistant("yo")], n=None, x="aXbXa", d={"a": 1, "b": [1, 2]})
lines = [line for line in expressions.split("\n") if line]
printed = [[line, _compile_jinja_template(line).render(**context)] for line in lines]
print(json.dumps({"library": f"transformers {transformers.__version__}", "tokenizer": tokenizer, "templates": made, "context": context, "expressions": printed}, ensure_ascii=True, separators=(",", ":")))
