"""JAX on the processor: python jaxCpu.py THREADS. The GPT of works.ts; a whole step, AdamW too, is one compiled function.

XLA takes as many threads as the process may have processors, so one thread is one processor. Next: contestant.py.
"""

import os, sys

threads = int(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
if threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
from jax import numpy as jnp

from contestant import serve


def loss_of(w, x, y, shape, eps):
    B, T, D, H, L = (shape[key] for key in "BTDHL")

    def norm(h, name):
        centred = h - h.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + eps)
        return centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"]

    linear = lambda h, name: h @ w[f"{name}.weight"].T + w[f"{name}.bias"]
    h = w["wte"][x] + w["wpe"]
    for i in range(L):
        qkv = linear(norm(h, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn")
        q, k, v = (part.reshape(B, T, H, D // H) for part in jnp.split(qkv, 3, -1))
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        h = h + linear(mixed.reshape(B, T, D), f"h.{i}.attn.c_proj")
        h = h + linear(jax.nn.gelu(linear(norm(h, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")
    logits = jax.nn.log_softmax(norm(h, "ln_f") @ w["lm_head"].T)
    return -jnp.take_along_axis(logits, y[..., None], -1).mean()


def prepare(given):
    a = given.adamW

    def update(w, m, v, x, y, t):
        loss, g = jax.value_and_grad(loss_of)(w, x, y, given.shape, given.eps)
        m = jax.tree.map(lambda m, g: a["beta1"] * m + (1 - a["beta1"]) * g, m, g)
        v = jax.tree.map(lambda v, g: a["beta2"] * v + (1 - a["beta2"]) * g * g, v, g)
        fix1, fix2 = 1 - a["beta1"] ** t, 1 - a["beta2"] ** t
        move = lambda p, m, v: p * (1 - a["lr"] * a["weightDecay"]) - a["lr"] * (m / fix1) / (jnp.sqrt(v / fix2) + a["eps"])
        return loss, jax.tree.map(move, w, m, v), m, v

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    w = {name: jnp.array(value) for name, value in given.weights.items()}
    state = (w, jax.tree.map(jnp.zeros_like, w), jax.tree.map(jnp.zeros_like, w))
    steps = 0

    def step():
        nonlocal state, steps
        x, y = given.batches[steps % len(given.batches)]
        steps += 1
        loss, *state = compiled(*state, x, y, jnp.float32(steps))
        jax.block_until_ready(state)
        return float(loss)

    return step


serve(f"JAX {jax.__version__}, compiled", jax.__version__, "XLA", prepare)
