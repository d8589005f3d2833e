"""Holds training against TRL: its RewardTrainer begins with the weights that are written here, trains on the same pairs with
the same rates, and has the ids of training here and its losses to 1e-5 in every step; the folder that it saves, and the
adapters that it saves, open here with its rewards. Ends with "N agree, M differ".

  python interop/compareTrl.py [STEPS]
"""

import json, os, sys, tempfile, warnings
import peft, torch, transformers, trl
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoTokenizer
from trl import RewardConfig, RewardTrainer
from ours import run

warnings.filterwarnings("ignore")
steps = sys.argv[1] if len(sys.argv) > 1 else "8"
work = tempfile.mkdtemp()


[ours] = run("trainHere.ts", work, steps)
tokenizer = AutoTokenizer.from_pretrained(ours["start"])


def trained(name, **more):
    """A trainer of TRL's that is through; more are its arguments."""
    settings = RewardConfig(
        output_dir=os.path.join(work, f"{name} logs"), max_steps=len(ours["losses"]), per_device_train_batch_size=len(ours["ids"]) // 2,
        logging_steps=1, max_grad_norm=1.0, report_to=[], save_strategy="no", use_cpu=True, gradient_checkpointing=False, bf16=False, disable_tqdm=True,
    )
    pairs = load_dataset("json", data_files=ours["file"], split="train", cache_dir=work)
    trainer = RewardTrainer(model=ours["start"], args=settings, train_dataset=pairs, processing_class=tokenizer, **more)
    trainer.create_optimizer()
    parameters = [p for p in trainer.model.parameters() if p.requires_grad]
    trainer.optimizer = torch.optim.AdamW(parameters, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0)
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(trainer.optimizer, lambda step: ours["rates"][min(step, len(ours["rates"]) - 1)])
    trainer.train()
    folder = os.path.join(work, name)
    trainer.save_model(folder)
    tokenizer.save_pretrained(folder)
    return trainer, folder


def rewards(trainer):
    found = []
    for row in ours["ids"]:
        with torch.no_grad():
            found.append(float(trainer.model.eval()(torch.tensor([row])).logits))
    return found


agree, differ = 0, 0


def compare(what, theirs, here):
    """Counts numbers, or ids, that should be the same."""
    global agree, differ
    away = [abs(a - b) for a, b in zip(theirs, here, strict=True)]
    near = sum(x < 1e-5 for x in away)
    agree, differ = agree + near, differ + len(away) - near
    print(f"| {what} | {len(away)} | {max(away):.1e} |")


whole, folder = trained("whole")
adapted, adapters = trained("adapters", peft_config=LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
print(f"trl {trl.__version__}, transformers {transformers.__version__}, peft {peft.__version__}, torch {torch.__version__}\n")
print("| what | numbers | largest difference |\n|---|--:|--:|")
theirs = [ids for row in whole.train_dataset for ids in (row["chosen_ids"], row["rejected_ids"])]
compare("ids of the answers, by the exported chat template", sum(theirs, []), sum(ours["ids"], []))
compare("loss of each step", [log["loss"] for log in whole.state.log_history if "loss" in log], ours["losses"])
for name, trainer, at in (("the folder", whole, folder), ("the adapters", adapted, adapters)):
    asked = [dict(folder=at, kind="rewards", ids=[row]) for row in ours["ids"]]
    compare(f"rewards, from {name} that it saves", rewards(trainer), sum(run("readFolders.ts", given=json.dumps(asked)), []))
print(f"\n{agree} agree, {differ} differ")
