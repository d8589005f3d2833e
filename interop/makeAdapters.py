"""Makes test/golden/nn/adapters.json: what PEFT writes for adapters of small language models and of a classifier, beside the
config.json of the model that they belong to, and the last token's logits or the reward that it gives. Weights aren't
stored: see written() in families.py.

  python interop/makeAdapters.py > test/golden/nn/adapters.json
"""

import copy, os, tempfile
import peft, torch, transformers
from peft import LoraConfig, TaskType, get_peft_model, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from families import configs, json_in, print_golden, shapes_in, written

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
ids = [[3, 1, 4, 1, 5, 9, 2, 6]]
lora = dict(r=2, lora_alpha=6, target_modules=["q_proj", "down_proj"])
cases = {
    "a Llama's": ("llama 3", lora),
    "rank-stabilised, of every layer": ("qwen2", lora | dict(use_rslora=True, target_modules="all-linear")),
    "a GPT-2's": ("gpt2", lora | dict(target_modules=["c_attn", "c_proj"])),
    "a classifier's": ("qwen3", lora),
}

made = []
for name, (family, options) in cases.items():
    is_classifier = name == "a classifier's"
    auto = AutoModelForSequenceClassification if is_classifier else AutoModelForCausalLM
    config = copy.deepcopy(configs[family])
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    if is_classifier:
        config.num_labels, config.pad_token_id = 1, 39
    base, folder = tempfile.mkdtemp(), tempfile.mkdtemp()
    auto.from_config(config).save_pretrained(base)
    shapes = shapes_in(os.path.join(base, "model.safetensors"))
    model = auto.from_pretrained(base, num_labels=1) if is_classifier else auto.from_pretrained(base)
    model.load_state_dict(written(shapes), strict=False)
    adapted = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS if is_classifier else TaskType.CAUSAL_LM, **options))
    adapted.save_pretrained(folder)
    adapters = shapes_in(os.path.join(folder, "adapter_model.safetensors"))
    set_peft_model_state_dict(adapted, written(adapters))
    with torch.no_grad():
        values = adapted.eval()(torch.tensor(ids)).logits.reshape(-1, 1 if is_classifier else config.vocab_size)[-1]
    adapter_config = json_in(folder, "adapter_config.json") | {"base_model_name_or_path": "some/model"}
    made.append(dict(name=name, config=json_in(base, "config.json"), shapes=shapes, adapterConfig=adapter_config, adapters=adapters, values=[round(x, 7) for x in values.tolist()]))
print_golden("makeAdapters.py", [f"peft {peft.__version__}", f"transformers {transformers.__version__}"], ids=ids, models=made)
