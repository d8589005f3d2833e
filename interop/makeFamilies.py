"""Makes test/golden/nn/families.json: the config.json that transformers writes for small models of every family, the names and
shapes of their tensors, and the logits that it gives. Weights aren't stored: both sides compute number i of the tensor at
place p (in order of names) as sin(1 + i + 100 p) / 4, plus 1 for norms' weights.

  python interop/makeFamilies.py > test/golden/nn/families.json
"""

import copy, json, math, os, re, sys, tempfile
import torch, transformers
from safetensors import safe_open
from transformers import AutoModelForCausalLM
from families import configs

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
ids = [[3, 1, 4, 1, 5, 9, 2, 6]]


def values(name, shape, place):
    is_gain = bool(re.search(r"norm|\.ln_", name)) and name.endswith("weight")
    numbers = [math.sin(1 + i + 100 * place) / 4 + is_gain for i in range(math.prod(shape))]
    return torch.tensor(numbers).reshape(shape)


made = []
for name, config in configs.items():
    config = copy.deepcopy(config)
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    folder = tempfile.mkdtemp()
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    with safe_open(os.path.join(folder, "model.safetensors"), "pt") as file:
        shapes = {key: list(file.get_slice(key).get_shape()) for key in sorted(file.keys())}
    written = json.load(open(os.path.join(folder, "config.json")))
    model = AutoModelForCausalLM.from_pretrained(folder)
    tensors = {key: values(key, shape, place) for place, (key, shape) in enumerate(shapes.items())}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected and all(key == "lm_head.weight" for key in missing), (missing, unexpected)
    with torch.no_grad():
        logits = model.eval()(torch.tensor(ids)).logits[0, -1]
    made.append(dict(name=name, config=written, shapes=shapes, logits=[round(x, 7) for x in logits.tolist()]))
    print(name, float(logits.abs().max()), file=sys.stderr)

header = f"made by interop/makeFamilies.py with transformers {transformers.__version__} and torch {torch.__version__.split('+')[0]}"
lines = ",\n".join(json.dumps(case) for case in made)
print(f'{{\n"made": {json.dumps(header)},\n"ids": {json.dumps(ids)},\n"models": [\n{lines}\n]\n}}')
