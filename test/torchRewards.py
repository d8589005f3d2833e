# What PyTorch makes of an exported reward model: a Llama or a GPT-2 of a few lines after Hugging Face's
# names, adapters added as PEFT adds them, and the reward head of the official GRM code. Every weight in the
# files must be one that the model has, and the other way round. Needs torch, neither transformers nor PEFT.
#   python3 torchRewards.py < {"ids": [[...], ...], "models": [{"base", "adapters", "peft"}]}
# prints a line of rewards for each model. Next: grm.export.test.ts, which runs it.

import json
import struct
import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)


def safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    assert header.pop("__metadata__")["format"] == "pt"
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).reshape(entry["shape"])
    return tensors


def read_json(folder, name):
    with open(f"{folder}/{name}") as file:
        return json.load(file)


class Weights:
    """Tensors that must all be used."""

    def __init__(self, tensors):
        self.tensors = {name: x.double() for name, x in tensors.items()}
        self.used = set()

    def __getitem__(self, name):
        self.used.add(name)
        return self.tensors[name]

    def finish(self):
        assert self.used == set(self.tensors), set(self.tensors) ^ self.used


def causal(q, k, v):
    T = q.shape[-2]
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    mask = torch.ones(T, T, dtype=torch.bool).triu(1)
    return scores.masked_fill(mask, -torch.inf).softmax(-1) @ v


def llama(w, config, ids):
    heads, kv_heads, size = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]

    def norm(x, name):
        variance = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(variance + config["rms_norm_eps"]) * w[f"{name}.weight"]

    T = len(ids)
    frequencies = 1.0 / config["rope_theta"] ** (torch.arange(0, size, 2).double() / size)
    angles = torch.outer(torch.arange(T).double(), frequencies)
    cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()

    def rotate(x):
        left, right = x.chunk(2, -1)
        return x * cos + torch.cat([-right, left], -1) * sin

    x = w["model.embed_tokens.weight"][ids]
    for i in range(config["num_hidden_layers"]):
        at = f"model.layers.{i}"
        h = norm(x, f"{at}.input_layernorm")
        q, k, v = (
            F.linear(h, w[f"{at}.self_attn.{p}_proj.weight"]).view(T, n, size).transpose(0, 1)
            for p, n in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        k, v = (y.repeat_interleave(heads // kv_heads, 0) for y in (k, v))
        y = causal(rotate(q), rotate(k), v).transpose(0, 1).reshape(T, heads * size)
        x = x + F.linear(y, w[f"{at}.self_attn.o_proj.weight"])
        h = norm(x, f"{at}.post_attention_layernorm")
        gate = F.silu(F.linear(h, w[f"{at}.mlp.gate_proj.weight"]))
        up = F.linear(h, w[f"{at}.mlp.up_proj.weight"])
        x = x + F.linear(gate * up, w[f"{at}.mlp.down_proj.weight"])
    if not config["tie_word_embeddings"]:
        w["lm_head.weight"]
    return norm(x, "model.norm")


def gpt2(w, config, ids):
    heads, dim = config["n_head"], config["n_embd"]

    def norm(x, name):
        return F.layer_norm(x, [dim], w[f"{name}.weight"], w[f"{name}.bias"], config["layer_norm_epsilon"])

    def conv1d(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def gelu_new(x):
        return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

    T = len(ids)
    x = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][:T]
    for i in range(config["n_layer"]):
        at = f"transformer.h.{i}"
        qkv = conv1d(norm(x, f"{at}.ln_1"), f"{at}.attn.c_attn").split(dim, -1)
        q, k, v = (y.view(T, heads, dim // heads).transpose(0, 1) for y in qkv)
        x = x + conv1d(causal(q, k, v).transpose(0, 1).reshape(T, dim), f"{at}.attn.c_proj")
        h = gelu_new(conv1d(norm(x, f"{at}.ln_2"), f"{at}.mlp.c_fc"))
        x = x + conv1d(h, f"{at}.mlp.c_proj")
    return norm(x, "transformer.ln_f")


def value_head(config, dim, weights):
    """summary of the official ValueHead, with its own loading: every name and shape must fit."""
    if config["vhead_layer_type"] == "linear":
        summary = nn.Linear(dim, 1)
    else:
        layers, width = [], dim
        for _ in range(config["vhead_num_layers"]):
            layers += [nn.Linear(width, config["vhead_num_neurons"]), nn.ReLU()]
            width = config["vhead_num_neurons"]
        summary = nn.Sequential(*layers, nn.Linear(width, 1))
    summary = summary.double()
    summary.load_state_dict(weights, strict=True)
    return summary


def add_adapters(weights, adapters, settings):
    """W + (alpha / r) B A for adapters by layer; each layer must be one of the target modules."""
    scale = settings["lora_alpha"] / settings["r"]
    targets = settings["target_modules"]
    for layer in sorted({name.rsplit(".", 1)[0] for name in adapters}):
        a, b = adapters[f"{layer}.A"], adapters[f"{layer}.B"]
        assert a.shape[0] == b.shape[1] == settings["r"]
        assert any(layer == target or layer.endswith(f".{target}") for target in targets)
        update = scale * (b.double() @ a.double())
        weights[f"{layer}.weight"] = weights[f"{layer}.weight"] + (update.T if settings["fan_in_fan_out"] else update)
    adapted = {name.rsplit(".", 1)[0] for name in adapters}
    for name in weights:
        layer = name.removesuffix(".weight")
        assert layer in adapted or not any(layer.endswith(f".{target}") for target in targets), layer


def stripped(tensors, prefix, suffix):
    """Adapter matrices of one naming, as <layer>.A and <layer>.B."""
    found = {}
    for name, x in tensors.items():
        assert name.startswith(prefix) and name.endswith(suffix), name
        layer, matrix = name[len(prefix) : -len(suffix)].rsplit(".lora_", 1)
        found[f"{layer}.{matrix}"] = x
    return found


def rewards(folder, base, sequences):
    config = read_json(base, "config.json")
    weights = {name: x.double() for name, x in safetensors(f"{base}/model.safetensors").items()}
    if folder != base:
        settings = read_json(folder, "adapter_config.json")
        assert f"{folder}/{settings['base_model_name_or_path']}" == base
        official = safetensors(f"{folder}/model.safetensors")
        head = {name: official.pop(name) for name in list(official) if name.startswith("v_head.")}
        adapters = stripped(official, "", ".default.weight")
        peft = stripped(safetensors(f"{folder}/adapter_model.safetensors"), "base_model.model.", ".weight")
        assert adapters.keys() == peft.keys() and all(torch.equal(adapters[k], peft[k]) for k in peft)
        add_adapters(weights, peft, settings)
        weights.update(head)
    head = {name.removeprefix("v_head.summary."): weights.pop(name) for name in list(weights) if name.startswith("v_head.")}
    w = Weights(weights)
    backbone = {"llama": llama, "gpt2": gpt2}[config["model_type"]]
    dim = config.get("hidden_size") or config["n_embd"]
    summary = value_head(config, dim, head)
    with torch.no_grad():
        found = [summary(backbone(w, config, ids)[-1]).item() for ids in sequences]
    w.finish()
    return found


request = json.load(sys.stdin)
for model in request["models"]:
    print(json.dumps(rewards(model["folder"], model["base"], request["ids"])))
