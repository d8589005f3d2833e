"""PyTorch on the processor: python pytorch.py THREADS [compiled]. The GPT of works.ts, with AdamW's fused step where it is.

Next: contestant.py.
"""

import sys

import torch
from torch.nn import functional as F

from contestant import serve

threads, isCompiled = int(sys.argv[1]), "compiled" in sys.argv
torch.set_num_threads(threads)


def loss_of(w, x, y, shape, eps):
    norm = lambda h, name: F.layer_norm(h, h.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps)
    linear = lambda h, name: F.linear(h, w[f"{name}.weight"], w[f"{name}.bias"])
    B, T, D, H, L = (shape[key] for key in "BTDHL")
    h = w["wte"][x] + w["wpe"]
    for i in range(L):
        qkv = linear(norm(h, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn")
        q, k, v = (part.view(B, T, H, D // H).transpose(1, 2) for part in qkv.split(D, -1))
        h = h + linear(attention(q, k, v).transpose(1, 2).reshape(B, T, D), f"h.{i}.attn.c_proj")
        h = h + linear(gelu(linear(norm(h, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")
    logits = F.linear(norm(h, "ln_f"), w["lm_head"])
    return F.cross_entropy(logits.view(B * T, -1), y.view(-1))


gelu = lambda x: F.gelu(x, approximate="tanh")


def attention(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    T, D = q.shape[-2:]
    scores = (q @ k.transpose(-1, -2)) * D**-0.5
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(-1) @ v


def optimiser_of(parameters, a):
    settings = dict(lr=a["lr"], betas=(a["beta1"], a["beta2"]), eps=a["eps"], weight_decay=a["weightDecay"])
    try:
        return torch.optim.AdamW(parameters, **settings, fused=True)
    except (RuntimeError, TypeError):
        return torch.optim.AdamW(parameters, **settings)


def prepare(given):
    w = {name: torch.tensor(value, requires_grad=True) for name, value in given.weights.items()}
    optimiser = optimiser_of(list(w.values()), given.adamW)
    batches = [(torch.tensor(x).long(), torch.tensor(y).long()) for x, y in given.batches]
    compute = torch.compile(loss_of) if isCompiled else loss_of
    steps = 0

    def step():
        nonlocal steps
        x, y = batches[steps % len(batches)]
        steps += 1
        loss = compute(w, x, y, given.shape, given.eps)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.item()

    return step


version = torch.__version__.split("+")[0]
kind = ", compiled" if isCompiled else ""
serve(f"PyTorch {version}{kind}", version, torch.backends.cpu.get_cpu_capability() if hasattr(torch.backends, "cpu") else "", prepare)
