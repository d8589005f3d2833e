"""Small models of the field, made by transformers with random weights (biases and norms, too): what compareFolders.py
saves for this project to open, and what makeFamilies.py takes golden numbers from."""

import json, math, os, re
import torch
from safetensors import safe_open
from transformers import GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

small = dict(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=64)
gpt2 = dict(vocab_size=40, bos_token_id=0, eos_token_id=1, n_embd=32, n_layer=2, n_head=4, n_positions=64)
linear = dict(rope_type="linear", factor=4.0, rope_theta=10000.0)
llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32, rope_theta=500000.0)

configs = {
    "llama 2": LlamaConfig(**small),
    "llama 2, grouped heads, heads of 12": LlamaConfig(**small, num_key_value_heads=2, head_dim=12),
    "llama 2, linear scaling": LlamaConfig(**small, rope_parameters=linear),
    "llama 3": LlamaConfig(**small, num_key_value_heads=2, rope_parameters=llama3, rms_norm_eps=1e-5),
    "llama 3, tied": LlamaConfig(**small, num_key_value_heads=2, rope_parameters=llama3, tie_word_embeddings=True),
    "llama, attention_bias": LlamaConfig(**small, attention_bias=True),
    "smollm": LlamaConfig(**{**small, "num_attention_heads": 3, "hidden_size": 36}, num_key_value_heads=1, tie_word_embeddings=True, rms_norm_eps=1e-5),
    "mistral": MistralConfig(**small, num_key_value_heads=2, sliding_window=None),
    "mistral, a window as long as the context": MistralConfig(**small, num_key_value_heads=2, head_dim=16, sliding_window=64),
    "qwen2": Qwen2Config(**small, num_key_value_heads=2, rope_parameters=dict(rope_type="default", rope_theta=1e6)),
    "qwen2, tied": Qwen2Config(**small, num_key_value_heads=4, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**small, num_key_value_heads=2, head_dim=16),
    "qwen3, tied, attention_bias": Qwen3Config(**small, num_key_value_heads=1, head_dim=8, tie_word_embeddings=True, attention_bias=True),
    "gpt2": GPT2Config(**gpt2, activation_function="gelu_new"),
    "gpt2, gelu_fast, unequal dropouts": GPT2Config(**gpt2, activation_function="gelu_fast", embd_pdrop=0.0, attn_pdrop=0.2),
    "gpt2, gelu_pytorch_tanh, untied": GPT2Config(**gpt2, activation_function="gelu_pytorch_tanh", tie_word_embeddings=False, n_inner=40),
    "gpt2, gelu": GPT2Config(**gpt2, activation_function="gelu"),
}


def drawn(model, seed):
    """The model with every parameter drawn, so that none is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            is_gain = p.dim() == 1 and name.endswith("weight")
            p.copy_(torch.randn(p.shape, generator=generator) * 0.15 + float(is_gain))
    return model.eval()


def drawn_ids(vocab, seed, rows=3, length=24):
    return torch.randint(0, vocab, (rows, length), generator=torch.Generator().manual_seed(seed)).tolist()


def shapes_in(path):
    """The names and shapes of a safetensors file, in the order of names."""
    with safe_open(path, "pt") as file:
        return {key: list(file.get_slice(key).get_shape()) for key in sorted(file.keys())}


def written(shapes):
    """Tensors that needn't be stored: number i of the tensor at place p is sin(1 + i + 100 p) / 4, plus 1 for norms' weights."""
    tensors = {}
    for place, (name, shape) in enumerate(shapes.items()):
        is_gain = bool(re.search(r"norm|\.ln_", name)) and name.endswith("weight")
        numbers = [math.sin(1 + i + 100 * place) / 4 + is_gain for i in range(math.prod(shape))]
        tensors[name] = torch.tensor(numbers).reshape(shape)
    return tensors


def json_in(folder, name):
    return json.load(open(os.path.join(folder, name)))


def print_golden(script, versions, **parts):
    """A file of golden numbers: who made it, and a line for each case."""
    header = f"made by interop/{script} with " + " and ".join(versions)
    lines = ["{", f'"made": {json.dumps(header)},']
    for i, (name, value) in enumerate(parts.items()):
        end = "" if i == len(parts) - 1 else ","
        shown = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]" if isinstance(value[0], dict) else json.dumps(value)
        lines.append(f"{json.dumps(name)}: {shown}{end}")
    print("\n".join(lines + ["}"]))
