"""A training run from its first or next update to its end: updates, validations, and its state on disk."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dda.core import metrics
from dda.core.errors import SetupError
from dda.core.sampling import Plan
from dda.io import atomic, devices, loader, resume
from dda.io.engine import Engine, Update
from dda.io.loader import Pairs, PairViews, PairWindows
from dda.io.pairs import SIDES
from dda.io.tracking import Run

LOG = "log.jsonl"
Line = dict[str, Any]


@dataclass
class Progress:
    """How far a run has come; all of it is in the state on disk."""

    step: int = 0
    updates: list[Line] = field(default_factory=list)
    validations: list[Line] = field(default_factory=list)
    best: Line | None = None
    best_weights: dict[str, Any] = field(default_factory=dict)
    best_logits: list[float] = field(default_factory=list)
    worse: int = 0
    run_id: str = ""
    resumed_at: list[int] = field(default_factory=list)

    def log(self) -> str:
        """A line of JSON for each update, and after it for each validation."""
        lines = sorted([*self.updates, *self.validations], key=lambda line: (line["step"], "val_loss" in line))
        return "".join(json.dumps(line) + "\n" for line in lines)


@dataclass
class Trainer:
    """One run, as one of its processes sees it. Of `progress`, only the first process keeps weights."""

    engine: Engine
    plan: Plan
    training: Pairs
    validation: Pairs
    scratch: Path
    fingerprint: str
    progress: Progress = field(default_factory=Progress)

    def resume(self) -> None:
        """Go on from the state on disk, where there is one of this very run."""
        state = resume.load(self.scratch, self.fingerprint)
        if state:
            self.engine.take_state(state.pop("engine"))
            self.progress = Progress(**state)
            self.progress.resumed_at += [self.progress.step] if self.progress.step else []

    def save(self) -> None:
        """Keep the state on disk; one process does it for all."""
        if self.engine.accelerator.is_main_process:
            resume.save(self.scratch, self.fingerprint, {**vars(self.progress), "engine": self.engine.state()})
            atomic.write_text(self.scratch / LOG, self.progress.log())

    def go(self, tracked: Run, advance: Callable[[int], None]) -> None:
        """Train to the end of the plan, or until nothing gets better. `advance` hears of images.

        Raises SetupError where the loss is no number any more; the last state on disk is from before.
        """
        views, windows = self._batches(), self._windows()
        since, images, saved = time.monotonic(), 0, time.monotonic()
        while self.progress.step < self.plan.updates and not self._given_up():
            seen = self._update(views)
            advance(seen)
            images += seen
            update = self.progress.updates[-1]
            tracked.log({name: update[name] for name in ("loss", "lr", "grad_norm")}, self.progress.step)
            if self._is_time_to_validate():
                rate = images / (time.monotonic() - since)
                self._validate(windows, rate)
                tracked.log(_judged(self.progress.validations[-1]), self.progress.step)
                since, images = time.monotonic(), 0
            if time.monotonic() - saved >= self.engine.settings["machine"]["checkpoint_s"]:
                tracked.flush()  # what the state holds is not seen again by a run that goes on
                self.save()
                saved = time.monotonic()

    def validation_labels(self) -> Any:
        """The labels (N,) of the validation windows, in the order in which their logits are kept."""
        return np.array(list(SIDES.values()) * len(self.validation))

    def _batches(self) -> Iterator[Any]:
        """What this process works on from now to the end."""
        accelerator, settings = self.engine.accelerator, self.engine.settings
        micro = self.plan.micro_batches(self.progress.step, accelerator.process_index, accelerator.num_processes)
        views = PairViews.of(self.training, settings, self.engine.input_px)
        return loader.read(loader.batches(views, micro, self._workers()))

    def _windows(self) -> Any:
        """This process's validation pairs, in batches as large as those that it trains on."""
        accelerator, settings = self.engine.accelerator, self.engine.settings
        own = range(accelerator.process_index, len(self.validation), accelerator.num_processes)
        size = settings["micro_batch_pairs"] * len(settings["views"]["scales"])
        chosen = [list(own[first : first + size]) for first in range(0, len(own), size)]
        return loader.batches(PairWindows(self.validation, self.engine.input_px), chosen, self._workers())

    def _workers(self) -> int:
        """Processes that read for this one; without a GPU, the cores are the model's."""
        chosen, accelerator = self.engine.settings["machine"]["loader_workers"], self.engine.accelerator
        if chosen != "auto":
            return int(chosen)
        return max(1, devices.cores() // accelerator.num_processes) if accelerator.device.type == "cuda" else 0

    def _update(self, batches: Iterator[Any]) -> int:
        """One update; how many images all processes saw."""
        step, processes = self.progress.step, self.engine.accelerator.num_processes
        parts = self.plan.parts(step, processes)
        done = self.engine.update(step, self.plan.updates, [next(batches) for _ in parts[::processes]])
        if not done.finite:
            raise SetupError(self._not_finite(done))
        line = {"step": step + 1, "loss": done.loss, "lr": self.engine.rate, "grad_norm": done.grad_norm}
        self.progress.updates.append(line)
        self.progress.step += 1
        return sum(map(len, parts)) * len(self.engine.settings["views"]["scales"]) * len(SIDES)

    def _not_finite(self, done: Update) -> str:
        """What a person needs to find out why."""
        names = sorted({self.training[draw.pair].name for draw in self.plan.update(self.progress.step)})
        kept = f" The last good state is kept in {self.scratch}." if (self.scratch / resume.FILE).is_file() else ""
        return (
            f"the loss is {done.loss} and its gradient {done.grad_norm} long at step {self.progress.step + 1}: lower "
            f"train.optimiser.lr or max_grad_norm in params.yaml. The pairs of this step: {', '.join(names)}.{kept}"
        )

    def _is_time_to_validate(self) -> bool:
        """So many times in an epoch, evenly spread, the last time at its end."""
        per_epoch, times = self.plan.updates_per_epoch, self.engine.settings["selection"]["validations_per_epoch"]
        done = (self.progress.step - 1) % per_epoch + 1
        return bool(done * times // per_epoch > (done - 1) * times // per_epoch)

    def _validate(self, windows: Any, images_per_s: float) -> None:
        """Judge the centre windows of the validation pairs, write a line, and keep the weights where they are best."""
        logits = interleaved(self.engine.gathered(self.engine.judge(loader.read(windows))), len(SIDES))
        progress = self.progress
        first = progress.validations[-1]["step"] if progress.validations else 0
        line = {
            "step": progress.step,
            "epoch": progress.step / self.plan.updates_per_epoch,
            "loss": float(np.mean([update["loss"] for update in progress.updates[first:]])),
            **judged(self.validation_labels(), np.array(logits)),
            "images_per_s": round(images_per_s, 1),
        }
        progress.validations.append(line)
        progress.worse += 1
        if progress.best is None or rank(line) > rank(progress.best):
            progress.best, progress.best_logits, progress.worse = line, logits, 0
            if self.engine.accelerator.is_main_process:
                progress.best_weights = self.engine.weights()

    def _given_up(self) -> bool:
        patience = self.engine.settings["selection"]["patience"]
        return bool(patience is not None and self.progress.worse >= patience)


def judged(labels: Any, logits: Any) -> dict[str, float]:
    """Balanced accuracy, AUROC and mean log loss of validation logits (N,), under names that begin with val_."""
    found = {
        "balanced_accuracy": metrics.balanced_accuracy(labels, logits),
        "auroc": metrics.auroc(labels, logits),
        "loss": metrics.log_loss(labels, logits),
    }
    return {f"val_{name}": value for name, value in found.items()}


def rank(line: Line) -> tuple[float, float]:
    """What a better state has more of: balanced accuracy, then a smaller loss, both on the validation pairs."""
    return line["val_balanced_accuracy"], -line["val_loss"]


def interleaved(parts: list[list[Any]], size: int) -> list[Any]:
    """Values in the order of the whole, of which process p has every n-th group of `size` from the p-th on."""
    groups = [[part[first : first + size] for first in range(0, len(part), size)] for part in parts]
    n_groups = sum(map(len, groups))
    return [value for number in range(n_groups) for value in groups[number % len(parts)][number // len(parts)]]


def _judged(line: Line) -> dict[str, float]:
    """A validation's line for the tracking store, in which `loss` is each update's."""
    return {"train_loss" if name == "loss" else name: line[name] for name in line if name != "step"}
