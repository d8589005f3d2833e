"""Holds `twoheads serve` against OpenRLHF: the client function of its trainer asks for the rewards of texts, and gets those
that its reward server computes, a classifier's in transformers on the same texts. OpenRLHF's package needs GPUs to be
installed, so the file of the client alone is read. Ends with "N agree, M differ".

  pip install --no-deps openrlhf==0.11.2 && python interop/compareOpenRLHF.py
"""

import asyncio, importlib.util, json, os, signal, subprocess, sys, tempfile, types
import torch, transformers
from importlib.metadata import version
from transformers import AutoModelForSequenceClassification, AutoTokenizer

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
work = tempfile.mkdtemp()
package = importlib.util.find_spec("openrlhf").submodule_search_locations[0]
for name, path in (("openrlhf", package), ("openrlhf.utils", os.path.join(package, "utils"))):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]  # without what the packages import
from openrlhf.utils.agent import SingleTurnAgentExecutor  # noqa: E402

subprocess.run(["npx", "tsx", f"{root}/interop/trainHere.ts", work, "2"], cwd=root, check=True, capture_output=True)
folder = os.path.join(work, "start")
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
prompts = ["Where?", "2 + 2?", "naïve 日本 😀?", " Spaces ?\n", "it's", "<b>&</b>", "the cat </s> sat", "a\n\nb"]
answers = ["On the mat.", "4", "", "the cat sat on the mat", " kept ", "日本", "</s>", "<pad>"]
pairs = [(prompt, answer) for prompt in prompts for answer in answers]
asked = [tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True) for prompt, _ in pairs]
texts = [tokenizer.apply_chat_template([{"role": "user", "content": p}, {"role": "assistant", "content": a}], tokenize=False) for p, a in pairs]


def theirs(text):
    """What its serve_rm.py computes of a text: tokenize_fn, and the last token's value."""
    batch = tokenizer([text], return_tensors="pt", add_special_tokens=False, max_length=96, padding=True, truncation=True)
    with torch.no_grad():
        return float(model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits)


async def ours(url):
    client = SingleTurnAgentExecutor(f"{url}/get_reward")
    [together] = await client._fetch_rewards_via_http(texts, asked, [""] * len(texts))
    alone = await asyncio.gather(*(client._fetch_rewards_via_http([t], [p], [""]) for t, p in zip(texts, asked)))
    return together["rewards"], [answer["rewards"][0] for [answer] in alone], together["scores"]


server = subprocess.Popen(["node", "cli/bin.js", "serve", folder, "--port", "0", "--max-length", "96", "--json"], cwd=root, stdout=subprocess.PIPE, text=True)
try:
    url = json.loads(server.stdout.readline())["url"]
    found = asyncio.run(ours(url))
finally:
    server.send_signal(signal.SIGINT)
    server.wait()

expected = [theirs(text) for text in texts]
print(f"openrlhf {version('openrlhf')}, transformers {transformers.__version__}\n")
print("| asked for | numbers | largest difference |\n|---|--:|--:|")
agree, differ = 0, 0
for what, rewards in zip(["rewards of one request", "rewards of a request each, at once", "scores"], found):
    away = [abs(float(a) - b) for a, b in zip(rewards, expected, strict=True)]
    near = sum(x < 1e-5 for x in away)
    agree, differ = agree + near, differ + len(away) - near
    print(f"| {what} | {len(away)} | {max(away):.1e} |")
    for text, x in zip(texts, away):
        if x >= 1e-5 and "-v" in sys.argv:
            print("   ", repr(text), x)
print(f"\n{agree} agree, {differ} differ; the server stopped with status {server.returncode}")
