"""Holds both layouts of the official GRM code against this project, in both directions: the code itself (its model, with
trl's wrapper) saves LoRA adapters with a head and a full training as its trainer does, which open here with its rewards;
what is exported here is opened by its load_model_withhead. Ends with "N agree, M differ".

  git clone https://github.com/YangRui2015/Generalizable-Reward-Model ../grm-code
  python interop/compareOfficial.py ../grm-code      # in an environment of its own: see README.md
"""

import json, os, re, subprocess, sys, tempfile, warnings
import peft, torch, transformers, trl
from peft import LoraConfig, TaskType, get_peft_model

sys.path.insert(0, os.path.join(sys.argv[1], "reward_models"))
from grm_utils import AutoModelForCausalLMWithValueHead, load_model_withhead  # noqa: E402
from ours import run

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
work = tempfile.mkdtemp()
small = dict(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=64)
families = {
    "llama": transformers.LlamaConfig(**small, num_key_value_heads=2),
    "mistral": transformers.MistralConfig(**small, num_key_value_heads=2, sliding_window=None),
    "gpt2": transformers.GPT2Config(vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=64),
}
heads = {"linear": dict(vhead_layer_type="linear"), "mlp": dict(vhead_layer_type="mlp", vhead_num_neurons=24, vhead_num_layers=1), "mlp of two layers": dict(vhead_layer_type="mlp", vhead_num_neurons=24, vhead_num_layers=2)}
ids = torch.randint(0, 40, (3, 20), generator=torch.Generator().manual_seed(1))


def tokenizer_into(folder, size=30):
    vocab = {f"<{i}>": i for i in range(size)}
    made = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<0>"}}
    json.dump(made, open(os.path.join(folder, "tokenizer.json"), "w"))


def trainable(model):
    """get_trainable_weights of the official utils.py, whose file imports more than is needed here."""
    state = model.state_dict()
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    return {name.replace("pretrained_model.", ""): state.get(name, state.get(name.replace("pretrained_model.", ""))) for name in names}


def rewards(model):
    with torch.no_grad():
        return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))[2].tolist()


def drawn(parameters, std=0.2):
    with torch.no_grad():
        for p in parameters:
            p.add_(torch.randn(p.shape) * std)


cases = []
torch.manual_seed(0)
for family, config in families.items():
    for head, options in heads.items():
        base = tempfile.mkdtemp(dir=work)
        language_model = transformers.AutoModelForCausalLM.from_config(config)
        drawn(language_model.parameters(), 0.1)
        language_model.save_pretrained(base)
        tokenizer_into(base)
        for use_lora in (True, False):
            model = AutoModelForCausalLMWithValueHead.from_pretrained(base, **options)
            model.pretrained_model.resize_token_embeddings(41)  # a token for padding, as for its Llamas
            if use_lora:
                modules = ["c_attn", "c_proj"] if family == "gpt2" else ["q_proj", "k_proj", "v_proj", "o_proj"]
                model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, target_modules=modules, r=4, lora_alpha=8, lora_dropout=0.05))
                for p in model.v_head.parameters():
                    p.requires_grad = True
            drawn([p for p in model.parameters() if p.requires_grad])
            folder = tempfile.mkdtemp(dir=work)
            # save_model of its GRMRewardTrainer
            model.config.vhead_layer_type = options["vhead_layer_type"]
            model.config.vhead_num_neurons = options.get("vhead_num_neurons", 1024)
            model.config.vhead_num_layers = options.get("vhead_num_layers", 1)
            if use_lora:
                inner = model.base_model.model
                inner.save_pretrained(folder, state_dict=trainable(inner), safe_serialization=True)
                model.peft_config["default"].base_model_name_or_path = base
                model.peft_config["default"].save_pretrained(folder)
            else:
                model.save_pretrained(folder, state_dict=trainable(model), safe_serialization=False)
            tokenizer_into(folder, 41)
            cases.append(dict(name=f"{family}, {head}, " + ("LoRA" if use_lora else "full training"), column="theirs here", folder=folder, kind="rewards", ids=ids.tolist(), theirs=rewards(model)))

refused = run("readFolders.ts", given=json.dumps(cases))
for case, found in zip(cases, refused):
    if case["name"].endswith("full training"):  # a pickle: the sentence's own command, in its folder
        command = re.search(r'python -c "(.*)"$', found["error"]).group(1)
        subprocess.run([sys.executable, "-c", command], cwd=case["folder"], check=True)
for case, ours in zip(cases, run("readFolders.ts", given=json.dumps(cases))):
    case["ours"] = ours


class Tokenizer:
    pad_token_id = 0
    def __init__(self, folder):
        self.size = json.load(open(os.path.join(folder, "config.json")))["vocab_size"]
    def __len__(self):
        return self.size


whole = AutoModelForCausalLMWithValueHead.from_pretrained.__func__


def in_float32(cls, name, **options):
    """Without the flash attention, the GPU and the 16-bit numbers that its loader asks for."""
    options |= dict(torch_dtype=torch.float32, attn_implementation="eager", device_map=None)
    return whole(cls, name, **options)


AutoModelForCausalLMWithValueHead.from_pretrained = classmethod(in_float32)
for kind in ("merged", "unmerged"):
    for case in run("writeFolders.ts", work, kind, "1"):
        if case["name"] in ("qwen3", "llama 2, linear scaling"):
            continue  # younger than transformers 4.43: a class, and heads of another width
        config = json.load(open(os.path.join(case["folder"], "config.json")))
        base = os.path.join(case["folder"], "base") if kind == "unmerged" else case["folder"]
        model = load_model_withhead(base, case["folder"] if kind == "unmerged" else "", Tokenizer(base), "cpu", layer_type="linear")
        given = torch.tensor(case["ids"])
        with torch.no_grad():
            theirs = model.eval()(input_ids=given, attention_mask=torch.ones_like(given))[2].tolist()
        cases.append(case | dict(name=f"{case['name']}, {kind}", column="ours there", theirs=theirs))

table, agree, differ = {}, 0, 0
for case in cases:
    if isinstance(case["ours"], dict):
        print(case["name"], case["ours"], file=sys.stderr)
        away = float("inf")
    else:
        away = max(abs(a - b) for a, b in zip(case["theirs"], case["ours"], strict=True)) / max(1, *map(abs, case["theirs"]))
    table.setdefault(case["name"], {})[case["column"]] = away
    agree, differ = agree + (away < 1e-5), differ + (away >= 1e-5)
print(f"trl {trl.__version__}, peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}\n")
columns = ["theirs here", "ours there"]
print("| reward model | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
for name, row in table.items():
    print(f"| {name} | " + " | ".join(f"{row[c]:.1e}" if c in row else "" for c in columns) + " |")
print(f"\n{agree} agree, {differ} differ")
