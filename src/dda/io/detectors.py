"""A detector's folder: weights as safetensors, and what one must know to read its score."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.core.networks import build_network, logits_of
from dda.core.views import centre_window, to_tensor
from dda.io.atomic import whole, write_json

WEIGHTS, DESCRIPTION = "model.safetensors", "detector.json"


@dataclass(frozen=True)
class Detector:
    """A network ready to judge, with its description (architecture, preprocessing, data, thresholds)."""

    network: Any
    description: Mapping[str, Any]
    device: str

    def logits(self, images: list[Any]) -> list[float]:
        """One logit per image (RGB uint8 (H, W, 3), any sizes): above 0 is "generated"."""
        import torch

        seen = self.description["preprocessing"]
        windows = [centre_window(image, seen["input_px"]) for image in images]
        with torch.inference_mode():
            batch = to_tensor(windows, seen["mean"], seen["std"]).to(self.device)
            return [float(logit) for logit in logits_of(self.network, batch).cpu()]


def save(folder: Path, network: Any, description: Mapping[str, Any]) -> None:
    """Write a detector's folder; the description last, so that its presence means a complete detector."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    (folder / DESCRIPTION).unlink(missing_ok=True)  # never an old description beside new weights
    with whole(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    write_json(folder / DESCRIPTION, description)


def load(folder: Path, device: str = "cpu") -> Detector:
    """Read a detector's folder. Raises SetupError where it holds no detector, or weights that do not fit it."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / DESCRIPTION).is_file():
        raise SetupError(f"no detector in {folder}: run `dvc repro train`, or name a folder that holds {DESCRIPTION}")
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        network = build_network(description["architecture"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise SetupError(f"{folder / DESCRIPTION} describes no detector: {error}") from error
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise SetupError(f"the weights in {folder} do not fit its {DESCRIPTION}: {error}") from error
    return Detector(network.to(device).eval(), description, device)
