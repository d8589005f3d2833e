"""Writes llama.json, gpt2.json (logits, loss and gradients of small models) and optimisers.json (steps).

An oracle apart from our code: the forward passes of LlamaForCausalLM and GPT2LMHeadModel written out in
plain PyTorch (1.13; the optimisers 2.15; float64), with Hugging Face's parameter names and layouts; gradients by torch.autograd.
The weights are not stored: both sides compute weight i of the parameter at place p (in order of names) as
sin(1 + i + 100 p) / 4, plus 1 for norm weights. Optimisers take 5 steps on a matrix and a bias, gradient i of
step t being sin(i + 7 t) t. Run: python3 test/golden/nn/make.py [optimisers]
"""

import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
here = pathlib.Path(__file__).parent
IDS = [[1, 5, 2, 9, 3, 3, 0], [4, 4, 8, 7, 6, 1, 2]]
TARGETS = [[5, 2, 9, 3, 3, 0, -100], [4, 8, 7, 6, 1, 2, 10]]

LLAMA = dict(
    model_type="llama", vocab_size=11, hidden_size=12, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=4, intermediate_size=20, hidden_act="silu", max_position_embeddings=16,
    rope_theta=1000.0, rms_norm_eps=1e-6, tie_word_embeddings=False, initializer_range=0.02,
)
GPT2 = dict(
    model_type="gpt2", vocab_size=11, n_embd=12, n_layer=2, n_head=3, n_inner=20, n_positions=16,
    activation_function="gelu_new", layer_norm_epsilon=1e-5, tie_word_embeddings=True,
    initializer_range=0.02, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
)


def fill(shapes):
    weights = {}
    for place, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        size = math.prod(shape)
        values = torch.tensor([math.sin(1 + i + 100 * place) / 4 for i in range(size)]).reshape(shape)
        is_norm = "norm" in name or ".ln_" in name
        weights[name] = (values + 1 if is_norm and name.endswith("weight") else values).requires_grad_()
    return weights


def causal(scores):
    T = scores.shape[-1]
    return scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -math.inf).softmax(-1)


def llama_shapes(c):
    C, V, I, D = c["hidden_size"], c["vocab_size"], c["intermediate_size"], c["head_dim"]
    H, K = c["num_attention_heads"] * D, c["num_key_value_heads"] * D
    shapes = {"model.embed_tokens.weight": (V, C), "model.norm.weight": (C,), "lm_head.weight": (V, C)}
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        shapes |= {
            p + "input_layernorm.weight": (C,), p + "post_attention_layernorm.weight": (C,),
            p + "self_attn.q_proj.weight": (H, C), p + "self_attn.k_proj.weight": (K, C),
            p + "self_attn.v_proj.weight": (K, C), p + "self_attn.o_proj.weight": (C, H),
            p + "mlp.gate_proj.weight": (I, C), p + "mlp.up_proj.weight": (I, C),
            p + "mlp.down_proj.weight": (C, I),
        }
    return shapes


def llama(w, c, ids):
    D, H, K = c["head_dim"], c["num_attention_heads"], c["num_key_value_heads"]
    norm = lambda x, name: w[name] * x / (x.pow(2).mean(-1, keepdim=True) + c["rms_norm_eps"]).sqrt()
    B, T = ids.shape
    frequencies = c["rope_theta"] ** (-torch.arange(0, D, 2) / D)
    angles = torch.arange(T)[:, None] * frequencies
    cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
    rotate = lambda x: torch.cat([-x[..., D // 2:], x[..., : D // 2]], -1)  # the half-rotation
    rope = lambda x: x * cos + rotate(x) * sin
    heads = lambda x, n: x.view(B, T, n, D).transpose(1, 2)
    x = w["model.embed_tokens.weight"][ids]
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        h = norm(x, p + "input_layernorm.weight")
        q = rope(heads(h @ w[p + "self_attn.q_proj.weight"].T, H))
        k = rope(heads(h @ w[p + "self_attn.k_proj.weight"].T, K)).repeat_interleave(H // K, 1)
        v = heads(h @ w[p + "self_attn.v_proj.weight"].T, K).repeat_interleave(H // K, 1)
        z = (causal(q @ k.transpose(-1, -2) / math.sqrt(D)) @ v).transpose(1, 2).reshape(B, T, H * D)
        x = x + z @ w[p + "self_attn.o_proj.weight"].T
        h = norm(x, p + "post_attention_layernorm.weight")
        gate, up = h @ w[p + "mlp.gate_proj.weight"].T, h @ w[p + "mlp.up_proj.weight"].T
        x = x + (F.silu(gate) * up) @ w[p + "mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ w["lm_head.weight"].T


def gpt2_shapes(c):
    C, V, I = c["n_embd"], c["vocab_size"], c["n_inner"]
    shapes = {"transformer.wte.weight": (V, C), "transformer.wpe.weight": (c["n_positions"], C)}
    shapes |= {"transformer.ln_f.weight": (C,), "transformer.ln_f.bias": (C,)}
    for l in range(c["n_layer"]):
        p = f"transformer.h.{l}."
        for name, shape in [
            ("ln_1.weight", (C,)), ("ln_1.bias", (C,)), ("ln_2.weight", (C,)), ("ln_2.bias", (C,)),
            ("attn.c_attn.weight", (C, 3 * C)), ("attn.c_attn.bias", (3 * C,)),
            ("attn.c_proj.weight", (C, C)), ("attn.c_proj.bias", (C,)),
            ("mlp.c_fc.weight", (C, I)), ("mlp.c_fc.bias", (I,)),
            ("mlp.c_proj.weight", (I, C)), ("mlp.c_proj.bias", (C,)),
        ]:
            shapes[p + name] = shape
    return shapes


def gpt2(w, c, ids):
    C, H = c["n_embd"], c["n_head"]
    B, T = ids.shape
    norm = lambda x, name: F.layer_norm(x, (C,), w[name + ".weight"], w[name + ".bias"], c["layer_norm_epsilon"])
    conv1d = lambda x, name: x @ w[name + ".weight"] + w[name + ".bias"]
    heads = lambda x: x.view(B, T, H, C // H).transpose(1, 2)
    gelu_new = lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    x = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][:T]
    for l in range(c["n_layer"]):
        p = f"transformer.h.{l}."
        q, k, v = map(heads, conv1d(norm(x, p + "ln_1"), p + "attn.c_attn").split(C, -1))
        z = causal(q @ k.transpose(-1, -2) / math.sqrt(C // H)) @ v
        x = x + conv1d(z.transpose(1, 2).reshape(B, T, C), p + "attn.c_proj")
        x = x + conv1d(gelu_new(conv1d(norm(x, p + "ln_2"), p + "mlp.c_fc")), p + "mlp.c_proj")
    return norm(x, "transformer.ln_f") @ w["transformer.wte.weight"].T


def write(name, config, shapes, forward):
    weights = fill(shapes(config))
    logits = forward(weights, config, torch.tensor(IDS))
    loss = F.cross_entropy(logits.flatten(0, 1), torch.tensor(TARGETS).flatten())
    loss.backward()
    rounded = lambda x: [float(f"{v:.12g}") for v in x.detach().flatten().tolist()]
    gradients = {key: rounded(p.grad) for key, p in sorted(weights.items())}
    note = f"test/golden/nn/make.py, PyTorch {torch.__version__}, float64, 12 digits"
    record = dict(note=note, config=config, ids=IDS, targets=TARGETS, logits=rounded(logits), loss=loss.item(),
                  gradients=gradients)
    (here / f"{name}.json").write_text(json.dumps(record) + "\n")


if sys.argv[1:] != ["optimisers"]:
    write("llama", LLAMA, llama_shapes, llama)
    write("gpt2", GPT2, gpt2_shapes, gpt2)


def write_optimisers():
    decayed = lambda w, b, decay: [dict(params=[w], weight_decay=decay), dict(params=[b], weight_decay=0.0)]
    kinds = {
        "adamw": lambda w, b: torch.optim.AdamW(decayed(w, b, 0.1), lr=0.05, betas=(0.8, 0.95), eps=1e-6),
        "sgd": lambda w, b: torch.optim.SGD(decayed(w, b, 0.1), lr=0.05),
        "momentum": lambda w, b: torch.optim.SGD(decayed(w, b, 0.1), lr=0.05, momentum=0.9),
        "nesterov": lambda w, b: torch.optim.SGD(decayed(w, b, 0.1), lr=0.05, momentum=0.9, nesterov=True),
        "clipped": lambda w, b: torch.optim.AdamW(decayed(w, b, 0.0), lr=0.05),
        "amsgrad": lambda w, b: torch.optim.AdamW(decayed(w, b, 0.1), lr=0.05, betas=(0.8, 0.9), amsgrad=True),
        "dampening": lambda w, b: torch.optim.SGD(decayed(w, b, 0.1), lr=0.05, momentum=0.9, dampening=0.4),
        "groups": lambda w, b: torch.optim.AdamW(
            [dict(params=[w], lr=0.02, weight_decay=0.3), dict(params=[b])], lr=0.05, weight_decay=0.2),
        "scheduled": lambda w, b: torch.optim.AdamW([dict(params=[w], lr=0.02), dict(params=[b])], lr=0.05),
        "late": lambda w, b: torch.optim.AdamW(decayed(w, b, 0.1), lr=0.05),
        "alternating": lambda w, b: torch.optim.AdamW(decayed(w, b, 0.1), lr=0.05),
        "dampened late": lambda w, b: torch.optim.SGD(decayed(w, b, 0.1), lr=0.05, momentum=0.9, dampening=0.4),
    }
    missing = {
        "late": lambda p, t: p.dim() == 1 and t < 4,
        "dampened late": lambda p, t: p.dim() == 1 and t < 4,
        "alternating": lambda p, t: (p.dim() == 1) == (t % 2 == 0),
    }
    record = dict(note=f"test/golden/nn/make.py, PyTorch {torch.__version__}, float64")
    for name, make in kinds.items():
        weight = torch.arange(6).reshape(2, 3).double().div(4).requires_grad_()
        bias = torch.arange(3).double().div(8).requires_grad_()
        optimiser, norms = make(weight, bias), []
        halving = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5**step) if name == "scheduled" else None
        for t in range(1, 6):
            for p in (weight, bias):
                is_missing = missing.get(name, lambda p, t: False)(p, t)
                p.grad = None if is_missing else (torch.arange(p.numel()) + 7.0 * t).sin().reshape(p.shape) * t
            if name == "clipped":
                norms.append(torch.nn.utils.clip_grad_norm_([weight, bias], 1.0).item())
            optimiser.step()
            if halving is not None:
                halving.step()
        record[name] = dict(weight=weight.flatten().tolist(), bias=bias.tolist(), norms=norms)
    (here / "optimisers.json").write_text(json.dumps(record) + "\n")


write_optimisers()
