"""Holds adapters against PEFT, in both directions: adapters that it writes, of a language model and of a classifier, and
in the layout of the official GRM code, open here with its logits and rewards; adapters that are written here load and
merge there. Ends with "N agree, M differ".

  python interop/comparePeft.py [SEEDS]
"""

import copy, json, os, sys, tempfile, warnings
import peft, torch, transformers
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from families import configs, drawn, drawn_ids
from ours import run

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
work = tempfile.mkdtemp()
bases = ["llama 3", "qwen2", "qwen3, tied, attention_bias", "mistral", "gpt2"]
of_gpt2, of_llama = ["c_attn", "c_proj"], ["q_proj", "down_proj"]
kinds = {
    "LoRA": dict(),
    "rank-stabilised": dict(use_rslora=True),
    "every layer, ranks by pattern": dict(target_modules="all-linear", rank_pattern={"q_proj|c_attn": 5}),
}


def tokenizer_into(folder):
    """A tokenizer with a token for every row but a few, in files, as trainers leave one beside a model."""
    vocab = {f"<{i}>": i for i in range(30)}
    made = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<0>"}}
    json.dump(made, open(os.path.join(folder, "tokenizer.json"), "w"))


def values(model, ids, of):
    with torch.no_grad():
        return of(model.eval()(torch.tensor(ids))).flatten().tolist()


def new_base(name, auto, seed, **more):
    folder = tempfile.mkdtemp(dir=work)
    config = copy.deepcopy(configs[name])
    for key, value in more.items():
        setattr(config, key, value)
    model = drawn(auto.from_config(config), seed)
    model.save_pretrained(folder)
    tokenizer_into(folder)
    return folder, auto.from_pretrained(folder, **({"num_labels": 1} if "num_labels" in more else {}))


cases = []
for name in bases:
    modules = of_gpt2 if name == "gpt2" else of_llama
    for seed in range(seeds):
        ids = drawn_ids(40, seed)
        for kind, options in kinds.items():
            base, model = new_base(name, AutoModelForCausalLM, seed)
            adapted = get_peft_model(model, LoraConfig(task_type=TaskType.CAUSAL_LM, **(dict(r=3, lora_alpha=7, target_modules=modules) | options)))
            for key, p in adapted.named_parameters():
                if "lora_" in key:
                    torch.nn.init.normal_(p, std=0.2)
            folder = tempfile.mkdtemp(dir=work)
            adapted.save_pretrained(folder)
            cases.append(dict(name=f"{name}: {kind}", column="theirs here", folder=folder, kind="lm", ids=ids, theirs=values(adapted, ids, lambda out: out.logits)))
        base, model = new_base(name, AutoModelForSequenceClassification, seed, num_labels=1, pad_token_id=39)
        adapted = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, r=3, lora_alpha=7, target_modules=modules))
        for key, p in adapted.named_parameters():
            if p.requires_grad:
                torch.nn.init.normal_(p, std=0.2)
        folder = tempfile.mkdtemp(dir=work)
        adapted.save_pretrained(folder)
        cases.append(dict(name=f"{name}: a classifier's", column="theirs here", folder=folder, kind="rewards", ids=ids, theirs=values(adapted, ids, lambda out: out.logits)))
for case, ours in zip(cases, run("readFolders.ts", given=json.dumps(cases))):
    case["ours"] = ours

for case in run("writeFolders.ts", work, "adapters", str(seeds)):
    model = AutoModelForCausalLM.from_pretrained(os.path.join(case["folder"], "base"))
    adapted = PeftModel.from_pretrained(model, case["folder"])
    for how, found in (("ours there", adapted), ("ours there, merged", adapted.merge_and_unload)):
        theirs = values(found() if how.endswith("merged") else found, case["ids"], lambda out: out.logits)
        cases.append(case | dict(column=how, theirs=theirs))

table, agree, differ = {}, 0, 0
for case in cases:
    if isinstance(case["ours"], dict):
        print(case["name"], case["ours"], file=sys.stderr)
        away = float("inf")
    else:
        away = max(abs(a - b) for a, b in zip(case["theirs"], case["ours"], strict=True)) / max(1, *map(abs, case["theirs"]))
    table.setdefault(case["name"], {}).setdefault(case["column"], []).append(away)
    agree, differ = agree + (away < 1e-5), differ + (away >= 1e-5)
print(f"peft {peft.__version__}, transformers {transformers.__version__}: the largest difference of {seeds} models each\n")
columns = ["theirs here", "ours there", "ours there, merged"]
print("| adapters | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
for name, row in table.items():
    print(f"| {name} | " + " | ".join(f"{max(row[c]):.1e}" if c in row else "" for c in columns) + " |")
print(f"\n{agree} agree, {differ} differ")
