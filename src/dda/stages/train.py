"""aligned pairs -> detector: weights, description, card and log in a folder of its own.    dda train embedded"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dda import __version__, catalog
from dda.core import descriptions, metrics, views
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.core.model_card import detector_card
from dda.core.networks import adapt, logits_of
from dda.core.seeds import generator
from dda.io import atomic, backbones, detectors, devices, pairs, tracking
from dda.io.pairs import PairSet
from dda.io.progress import tracked
from dda.params import Params
from dda.params.sections import Train

Place = tuple[PairSet, dict[str, Any]]


@dataclass
class Session:
    """A network in training, and what moves it."""

    network: Any
    optimiser: Any
    row: dict[str, Any]
    device: str
    settings: Train
    step: int = 0
    steps: int = 0


def run(params: Params, detector: str) -> None:
    """Train on the train split, select the epoch on the val split, write the detector's folder."""
    row, settings = catalog.get("detectors", detector), params.train
    sets = {vae: params.paths.aligned / vae for vae in settings.vaes}
    data = {vae: (str(folder), pairs.digest(folder)) for vae, folder in sets.items()}
    training, validation = (places(sets, split) for split in ("train", "val"))
    session = start(row, settings, len(training))
    folder = params.paths.detectors / detector
    described = {
        "detector": detector,
        **row,
        **settings.model_dump(exclude={"detectors", "vaes"}),
    }
    with tracking.run(f"train {detector}", described, data) as tracked_run:
        log, best = [], None
        for epoch in tracked(range(settings.epochs), f"train {detector}"):
            line = {
                "epoch": epoch,
                "loss": train_epoch(session, training, epoch),
                **validate(session, validation),
            }
            log.append(line)
            tracked_run.log(
                {name: value for name, value in line.items() if name != "epoch"},
                step=epoch,
            )
            if best is None or rank(line) > rank(best[0]):
                best = (
                    line,
                    {name: tensor.clone() for name, tensor in session.network.state_dict().items()},
                )
        assert best is not None
        session.network.load_state_dict(best[1])
        write(folder, session, describe(detector, row, settings, data, best[0]), log)
        tracked_run.log_files(folder)
    print(f"{detector}: epoch {best[0]['epoch']} of {settings.epochs} selected, {json.dumps(best[0])}")


def places(sets: dict[str, Path], split: str) -> list[Place]:
    """All pairs of a split, over all VAEs' sets."""
    loaded = [pairs.load(folder, split) for folder in sets.values()]
    return [(pair_set, row) for pair_set in loaded for row in pair_set.rows]


def start(row: dict[str, Any], settings: Train, n_pairs: int) -> Session:
    """A session at step 0, with seeded weights."""
    import torch

    torch.manual_seed(settings.seed)
    device = devices.best()
    network = adapt(backbones.build(row), row).to(device)
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(n_pairs * settings.windows_per_pair / settings.batch_pairs)
    return Session(network, optimiser, row, device, settings, steps=steps)


def learning_rate(step: int, steps: int, settings: Train) -> float:
    """Linear warm-up over the first share of the run, then one cosine to zero at its end."""
    warm_up = max(1, round(settings.warm_up * steps))
    if step < warm_up:
        return settings.lr * (step + 1) / warm_up
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def windows(session: Session, training: list[Place], epoch: int) -> Iterator[list[Any]]:
    """Batches of windows, real and fake of a pair side by side: [real, fake, real, fake, ...]."""
    rng = generator(session.settings.seed, "epoch", str(epoch))
    order = rng.permutation(np.repeat(np.arange(len(training)), session.settings.windows_per_pair))
    size = session.settings.batch_pairs
    for first in range(0, len(order), size):
        batch: list[Any] = []
        for i in order[first : first + size]:
            pair_set, row = training[i]
            real, fake = (pair_set.pixels(row, side) for side in pairs.SIDES)
            batch += views.random_pair_windows(real, fake, session.row["preprocessing"]["input_px"], rng)
        yield batch


def train_epoch(session: Session, training: list[Place], epoch: int) -> float:
    """One pass over the pairs; the mean loss. Raises SetupError where the loss is no number any more."""
    import torch

    session.network.train()
    seen, losses = session.row["preprocessing"], []
    for batch in windows(session, training, epoch):
        images = views.to_tensor(batch, seen["mean"], seen["std"]).to(session.device)
        labels = torch.tensor([REAL, FAKE], dtype=torch.float32, device=session.device).repeat(len(batch) // 2)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits_of(session.network, images), labels)
        if not torch.isfinite(loss):
            raise SetupError(f"the loss is {loss.item()} at step {session.step}: lower train.lr in params.yaml")
        for group in session.optimiser.param_groups:
            group["lr"] = learning_rate(session.step, session.steps, session.settings)
        session.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        session.optimiser.step()
        session.step += 1
        losses.append(loss.item())
    return float(np.mean(losses))


def validate(session: Session, validation: list[Place]) -> dict[str, float]:
    """Balanced accuracy and AUROC on the centre windows of the validation pairs, and their mean loss."""
    import torch

    described = {"preprocessing": session.row["preprocessing"]}
    judge = detectors.Detector(session.network.eval(), described, session.device)
    labels, logits = [], []
    for pair_set, row in validation:
        logits += judge.logits([pair_set.pixels(row, side) for side in pairs.SIDES])
        labels += list(pairs.SIDES.values())
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(logits), torch.tensor(labels).float())
    y, x = np.array(labels), np.array(logits)
    found = {
        "balanced_accuracy": metrics.balanced_accuracy(y, x),
        "auroc": metrics.auroc(y, x),
        "loss": loss.item(),
    }
    return {f"val_{name}": value for name, value in found.items()}


def rank(line: dict[str, Any]) -> tuple[float, float]:
    """What a better epoch has more of: balanced accuracy, then a smaller loss, both on the validation split."""
    return line["val_balanced_accuracy"], -line["val_loss"]


def describe(
    detector: str,
    row: dict[str, Any],
    settings: Train,
    data: dict[str, tuple[str, str]],
    selected: dict[str, Any],
) -> dict[str, Any]:
    """detector.json: everything that is needed to use the weights and to know where they come from."""
    return descriptions.describe(detector, row, f"dda {__version__}") | {
        "data": {vae: {"pairs_sha256": digest} for vae, (_, digest) in data.items()},
        "training": settings.model_dump(exclude={"detectors"}),
        "selected": selected,
    }


def write(
    folder: Path,
    session: Session,
    description: dict[str, Any],
    log: list[dict[str, Any]],
) -> None:
    """The detector's folder: the log first, the description last."""
    atomic.write_text(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    detectors.save(folder, session.network, description, detector_card(description))
