"""Runs of a small transformer on the pairs of a finished project, for tests in this process and in others."""

import json
from pathlib import Path

from dda import params as parameters
from dda.core.sampling import Plan
from dda.io import engine, loader, tracking
from dda.io.trainer import Trainer

ROW = {
    "backbone": "vit_tiny_patch16_224",
    "options": {"img_size": 32, "depth": 2, "embed_dim": 48, "num_heads": 3},
    "pretrained": False,
    "trains": "all",
    "lora": None,
    "preprocessing": {"input_px": 32, "crop": "centre", "pad": "black", "mean": [0.5] * 3, "std": [0.25] * 3},
    "licence": "Apache-2.0",
}
LORA = {"trains": "lora", "lora": {"rank": 4, "alpha": 4, "targets": r"blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(fc1|fc2))"}}


def settings(folder, **changes):
    """The section `train` of a project, with some keys changed: sections are updated, values replaced."""
    chosen = parameters.load(Path(folder) / "params.yaml").train.model_dump()
    for name, value in changes.items():
        chosen[name] = chosen[name] | value if isinstance(value, dict) else value
    return chosen


def trainer(folder, chosen, scratch, row=ROW, fingerprint="one"):
    """A run at its beginning."""
    training, validation = (
        loader.Pairs([Path(folder) / "artifacts/aligned/tiny"], split) for split in ("train", "val")
    )
    told = ("epochs", "draws_per_pair", "batch_pairs", "micro_batch_pairs", "seed")
    plan = Plan(len(training), **{name: chosen[name] for name in told})
    return Trainer(engine.start(row, chosen), plan, training, validation, Path(scratch), fingerprint)


def go(folder, chosen, scratch, row=ROW):
    """Train to the end; the trainer."""
    made = trainer(folder, chosen, scratch, row)
    made.go(tracking.silent(), lambda _: None)
    return made


def write_curve(folder, chosen, scratch):
    """Train to the end as one of several processes; the first one writes the log."""
    made = go(folder, chosen, scratch)
    if made.engine.accelerator.is_main_process:
        (Path(scratch) / "curve.jsonl").write_text(made.progress.log())


def curve(scratch):
    """The lines of a log on disk, updates and validations."""
    return [json.loads(line) for line in (Path(scratch) / "curve.jsonl").read_text().splitlines()]
