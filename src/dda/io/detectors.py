"""A detector's folder: weights as safetensors, and what one must know to read its score."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core import descriptions, networks
from dda.core.errors import SetupError
from dda.core.networks import adapter_weights, build_network, has_adapters, logits_of, merge_lora
from dda.core.windows import normalise, windows_of
from dda.io import shards
from dda.io.atomic import whole, write_json, write_text
from dda.io.devices import best

WEIGHTS, DESCRIPTION, CARD, ADAPTER = "model.safetensors", "detector.json", "card.md", "adapter"
ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"  # as peft names them
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class NetworkJudge:
    """A network ready to judge, its description (architecture, preprocessing, calibration, data), its device."""

    network: Any
    description: Mapping[str, Any]
    device: str
    precision: str = "float32"
    folder: Path | None = None

    @classmethod
    def load(cls, folder: Path | str, device: str | None = None, precision: str = "float32") -> "NetworkJudge":
        """The detector of a folder, on a device by torch's name for it, the best one where none is named.

        `precision` is `float32`, or `bfloat16`: faster on a GPU, logits good to about two digits.

        Raises SetupError where the folder holds no detector, or weights that do not fit its description.
        """
        folder = Path(folder)
        description = network_description(folder)
        network = network_of(folder, description)
        device = device or best()
        return cls(network.to(device).eval(), description, device, precision, folder)

    @property
    def digest(self) -> str:
        """Stands for all that decides logits: network, weights, preprocessing, precision."""
        decisive = ("architecture", "preprocessing", "weights_sha256")
        told = {name: self.description.get(name) for name in decisive}
        return shards.fingerprint(told, self.precision, shards.code_digest(networks))

    def windows(self, pixels: Pixels, views: str) -> list[Pixels]:
        """What `scores` takes of an image, RGB uint8 (H, W, 3) of any size; `views` as core.windows says."""
        return windows_of(pixels, self.description["preprocessing"]["input_px"], views)

    def scores(self, windows: Sequence[Pixels]) -> list[float]:
        """One logit per window, all in one batch: above 0 is "fake"."""
        import torch

        seen = self.description["preprocessing"]
        half = torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bfloat16")
        with torch.inference_mode(), half:
            images = torch.from_numpy(np.stack(windows)).to(self.device, non_blocking=True)
            logits = logits_of(self.network, normalise(images, seen["mean"], seen["std"]))
            return [float(logit) for logit in logits.cpu()]

    def logits(self, images: list[Pixels]) -> list[float]:
        """One logit per image (RGB uint8 (H, W, 3), any sizes) by its centre, all in one batch: above 0 is "fake"."""
        return self.scores([window for image in images for window in self.windows(image, "centre")])


def save(folder: Path, network: Any, description: Mapping[str, Any], card: str) -> None:
    """Write a detector's folder: card, adapter, weights; the description last, so that it means a complete detector.

    `card` is Markdown for people, such as core.model_card makes of the description. An adapted network is written
    twice: its adapter as peft reads it, and all weights with the adapter added in. It is left as it is, so that
    training may go on. `weights_sha256` is added to the description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)  # never an old description beside new weights
    write_text(folder / CARD, card)
    _save_adapter(folder / ADAPTER, network)
    write_json(folder / DESCRIPTION, {**description, "weights_sha256": save_weights(folder, network)})


def save_weights(folder: Path, network: Any) -> str:
    """Write all weights of a network, adapters added in, as a detector's folder holds them; their sha256."""
    _save_tensors(folder / WEIGHTS, merge_lora(network).state_dict())
    return sha256_of(folder / WEIGHTS)


def _save_adapter(folder: Path, network: Any) -> None:
    """The adapter in peft's own format, or no such folder where the network has none."""
    if not has_adapters(network):
        for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir():
            folder.rmdir()
        return
    config = network.peft_config["default"].to_dict() | {"inference_mode": True}
    _save_tensors(folder / ADAPTER_WEIGHTS, adapter_weights(network))
    write_json(folder / ADAPTER_CONFIG, {name: _listed(value) for name, value in sorted(config.items())})


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _save_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    with whole(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(folder: Path) -> dict[str, Any]:
    """The description in a folder, as it stands there. Raises SetupError where there is none that can be read."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise SetupError(f"no detector in {folder}: run `dvc repro train`, or name a folder that holds {DESCRIPTION}")
    try:
        description = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SetupError(f"{path} describes no detector: {error}") from error
    if not isinstance(description, dict):
        raise SetupError(f"{path} describes no detector: it is no JSON object")
    return description


def network_description(folder: Path) -> dict[str, Any]:
    """The description of a network in a folder, checked. Raises SetupError for what is none, or of another kind."""
    description = described(folder)
    if "kind" in description:
        told = f"{folder} holds a detector of kind {description['kind']!r}, and no network with weights of its own"
        raise SetupError(f"{told}: judge sets of images with it by `dda evaluate`")
    try:
        descriptions.check(description)
    except SetupError as error:
        raise SetupError(f"{folder / DESCRIPTION} describes no detector: {error}") from error
    return description


def network_of(folder: Path, description: Mapping[str, Any]) -> Any:
    """The network of a folder with its weights, on the CPU."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        network = build_network(description["architecture"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise SetupError(f"{folder / DESCRIPTION} describes no detector: {error}") from error
    try:
        digest = description.get("weights_sha256")
        if digest and digest != sha256_of(folder / WEIGHTS):
            told = f"{folder / WEIGHTS} is not the file that {DESCRIPTION} describes: its sha256 is another one"
            raise SetupError(f"{told}. Get or make the detector again")
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise SetupError(f"the weights in {folder} do not fit its {DESCRIPTION}: {error}") from error
    return network
