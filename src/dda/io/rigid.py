"""RIGID (He, Chen and Ho 2024, arXiv:2405.20112): a detector that learns nothing.

Features of a network that was trained for something else move less under a little noise where an image is real: the
cosine similarity of an image's features and of those of the image with noise is lower for generated ones. The paper
has DINOv2 ViT-L/14 and noise of strength 0.05. Which values it is added to differs between re-implementations; here it
is the normalised ones, so that 0.05 is of their standard deviation. Images are cut here, and not resized.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core import calibration, networks
from dda.core.labels import FAKE, REAL
from dda.core.networks import features_and_logits
from dda.core.seeds import generator
from dda.core.windows import normalise, windows_of
from dda.io import backbones, devices, pairs, photos, shards
from dda.io.detectors import network_of, save_weights
from dda.io.foreign import Pixels
from dda.io.progress import shown

Row = Mapping[str, Any]
FPR = 0.05
FPRS = (0.01, FPR)
BATCH_IMAGES = 16


@dataclass(frozen=True)
class Rigid:
    """Frozen features as a judge: logit = scale * (threshold - similarity)."""

    network: Any
    description: Row
    device: str
    precision: str = "float32"

    @property
    def digest(self) -> str:
        """Stands for all that decides logits."""
        row, found = self.description["row"], self.description
        decisive = (row["backbone"], row["options"], row["preprocessing"], row["noise"])
        fitted = (found["weights_sha256"], found["similarity"], self.precision)
        return shards.fingerprint("rigid", decisive, fitted, shards.code_digest(networks, Rigid))

    def windows(self, pixels: Pixels, views: str) -> list[Pixels]:
        """The windows of the network's size."""
        return windows_of(pixels, self.description["row"]["preprocessing"]["input_px"], views)

    def scores(self, windows: Sequence[Pixels]) -> list[float]:
        """A logit for each window, above 0 where its similarity is below the threshold."""
        fitted = self.description["similarity"]
        return [fitted["scale"] * (fitted["threshold"] - one) for one in self.similarities(windows)]

    def similarities(self, windows: Sequence[Pixels]) -> list[float]:
        """Of each window (size, size, 3), the cosine similarity in [-1, 1] of its features without and with noise."""
        import torch

        row = self.description["row"]
        seen = row["preprocessing"]
        half = torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bfloat16")
        with torch.inference_mode(), half:
            images = normalise(torch.from_numpy(np.stack(windows)).to(self.device), seen["mean"], seen["std"])
            noise = torch.from_numpy(np.stack([_noise(window) for window in windows])).to(self.device)
            plain, noisy = (
                features_and_logits(self.network, given)[0] for given in (images, images + row["noise"] * noise)
            )
            return [float(one) for one in torch.nn.functional.cosine_similarity(plain, noisy).cpu()]


def _noise(window: Pixels) -> NDArray[np.float32]:
    """Standard normal (3, H, W), the same for the same pixels."""
    random = generator(0, "rigid", photos.sha256(window.tobytes()))
    return random.standard_normal((3, *window.shape[:2]), np.float32)


def place(row: Row, folder: Path, sets: Mapping[str, Path]) -> dict[str, Any]:
    """Keep the frozen weights, and find the threshold: at most 5 % of the sets' validation reals lie below it.

    The scale makes the spread of those reals 1. Temperature and further thresholds of the logit come from all pairs.
    """
    network = backbones.build(row)
    for weight in network.get_classifier().parameters():  # new, and never asked
        weight.detach().zero_()
    device = devices.best()
    judge = Rigid(network.to(device).eval(), {"row": row}, device)
    labels, similarities = _similarities(judge, sets)
    reals = similarities[labels == REAL]
    threshold = -calibration.threshold(labels, -similarities, FPR)
    scale = 1 / max(float(np.std(reals)), 1e-6)
    return {
        "weights_sha256": save_weights(folder, network),
        "similarity": {"threshold": threshold, "scale": scale},
        "calibration": _calibrated(labels, scale * (threshold - similarities), list(sets)),
    }


def load(folder: Path, description: Row, precision: str) -> Rigid:
    """The detector of a folder. Raises SetupError where the weights do not fit."""
    architecture = {name: description["row"][name] for name in ("backbone", "options")}
    network = network_of(folder, {"architecture": architecture, "weights_sha256": description["weights_sha256"]})
    device = devices.best()
    return Rigid(network.to(device).eval(), description, device, precision)


def _similarities(judge: Rigid, sets: Mapping[str, Path]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and similarities of every validation image of these sets of pairs, of each its centre."""
    chosen = [(found, row) for found in (pairs.load(folder, "val") for folder in sets.values()) for row in found.rows]
    labels: list[int] = []
    similarities: list[float] = []
    images = _images(judge, chosen)
    with shown("similarities of the validation pairs", 2 * len(chosen), "images") as advance:
        while some := list(islice(images, BATCH_IMAGES)):
            similarities += judge.similarities([window for window, _ in some])
            labels += [label for _, label in some]
            advance(len(some))
    return np.array(labels), np.array(similarities)


def _images(judge: Rigid, chosen: Sequence[tuple[pairs.PairSet, Row]]) -> Iterator[tuple[Pixels, int]]:
    """The centre of both sides of every pair, and its label; a real of which there are several fakes is there once."""
    for found, row in chosen:
        if not row.get("variant"):
            yield judge.windows(found.pixels(dict(row), "real"), "centre")[0], REAL
        yield judge.windows(found.pixels(dict(row), "fake"), "centre")[0], FAKE


def _calibrated(labels: NDArray[np.int64], logits: NDArray[np.float64], vaes: list[str]) -> dict[str, Any]:
    n_images = {name: int(np.sum(labels == label)) for name, label in pairs.SIDES.items()}
    return {
        "temperature": calibration.temperature(labels, logits),
        "thresholds": {str(fpr): calibration.threshold(labels, logits, fpr) for fpr in FPRS},
        "fitted_on": {"split": "val", "vaes": vaes, **n_images},
    }
