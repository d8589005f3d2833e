"""Writes sampling.json: which tokens temperature, top-k and top-p leave, with their probabilities.

An oracle apart from our code: Hugging Face's warpers in the order in which generate() applies them, float64.
Run: python3 test/golden/nn/make_sampling.py
"""

import json
import math
import pathlib

import torch
import transformers
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

here = pathlib.Path(__file__).parent
torch.manual_seed(0)


def warped(logits, temperature, k, p):
    scores, ids = torch.tensor([logits], dtype=torch.float64), torch.zeros(1, 1, dtype=torch.long)
    if temperature != 1:
        scores = TemperatureLogitsWarper(temperature)(ids, scores)
    if k is not None:
        scores = TopKLogitsWarper(k)(ids, scores)
    if p is not None:
        scores = TopPLogitsWarper(p)(ids, scores)
    return [float(f"{x:.9g}") for x in scores.softmax(-1)[0].tolist()]


named = [math.log(x) for x in [0.871, 0.041] + [0.011] * 8]
named = [x - i * 1e-9 for i, x in enumerate(named)]  # no two alike: the warper keeps all ties of the k-th
cases = [dict(logits=named, temperature=1, k=9, p=0.9)]
for temperature in (1, 0.5, 2.5):
    for k in (None, 1, 2, 5, 11, 12, 50):
        for p in (None, 1e-9, 0.1, 0.5, 0.9, 0.99, 0.999999, 1.0):
            size = 3 if (k or 0) % 2 else 1
            drawn = (torch.randn(12) * size).tolist()
            logits = [round(round(x, 3) + i * 1e-5, 5) for i, x in enumerate(drawn)]
            cases.append(dict(logits=logits, temperature=temperature, k=k, p=p))
for case in cases:
    case["probabilities"] = warped(case["logits"], case["temperature"], case["k"], case["p"])
note = f"test/golden/nn/make_sampling.py, transformers {transformers.__version__}, PyTorch {torch.__version__}"
(here / "sampling.json").write_text(json.dumps(dict(note=note, cases=cases)) + "\n")
