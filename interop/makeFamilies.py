"""Makes test/golden/nn/families.json: the config.json that transformers writes for small models of every family, the names
and shapes of their tensors, and the logits that it gives. Weights aren't stored: see written() in families.py.

  python interop/makeFamilies.py > test/golden/nn/families.json
"""

import copy, os, tempfile
import torch, transformers
from transformers import AutoModelForCausalLM
from families import configs, json_in, print_golden, shapes_in, written

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
ids = [[3, 1, 4, 1, 5, 9, 2, 6]]

made = []
for name, config in configs.items():
    config = copy.deepcopy(config)
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    folder = tempfile.mkdtemp()
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    shapes = shapes_in(os.path.join(folder, "model.safetensors"))
    model = AutoModelForCausalLM.from_pretrained(folder)
    missing, unexpected = model.load_state_dict(written(shapes), strict=False)
    assert not unexpected and all(key == "lm_head.weight" for key in missing), (missing, unexpected)
    with torch.no_grad():
        logits = model.eval()(torch.tensor(ids)).logits[0, -1]
    made.append(dict(name=name, config=json_in(folder, "config.json"), shapes=shapes, logits=[round(x, 7) for x in logits.tolist()]))
versions = [f"transformers {transformers.__version__}", f"torch {torch.__version__.split('+')[0]}"]
print_golden("makeFamilies.py", versions, ids=ids, models=made)
