"""The authors' checkpoint -> a detector's folder.    dda import-checkpoint DDA_ckpt.pth --output DIR"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dda import __version__, catalog
from dda.core import published
from dda.core.descriptions import describe
from dda.core.errors import SetupError
from dda.core.model_card import detector_card
from dda.core.networks import adapt, build_network, load_adapter_weights
from dda.io import backbones, checkpoints, detectors

OURS = {detectors.WEIGHTS, detectors.DESCRIPTION, detectors.CARD, detectors.ADAPTER, "log.jsonl"}
UNSTATED = "the authors state none for what they trained"
Row = Mapping[str, Any]


def run(checkpoint: Path, output: Path, lora_alpha: float) -> None:
    """Write the detector of a file in the authors' layout; its adapters are scaled by `lora_alpha` / rank.

    Nothing is fetched where the file holds its backbone. Raises SetupError where the file is not that, where keys are
    missing or left over, or where the output holds anything besides a detector.
    """
    _check(output, lora_alpha)
    file = checkpoints.read(checkpoint)
    try:
        layout = published.recognise(file.tensors)
        row = _row(layout, lora_alpha)
        _tell(layout, row)
        converted = published.convert(file.tensors, _shapes(row), layout)
    except SetupError as error:
        raise SetupError(f"cannot import {checkpoint}: {error}") from error
    network = adapt(_network(row, converted), row)
    load_adapter_weights(network, converted.adapter)
    description = describe(layout.row, row, f"dda {__version__}") | {"source": file.source}
    detectors.save(output, network.eval(), description, detector_card(description))
    print(f"written to {output}: not calibrated, so `dda detect IMAGE --model {output}` gives plain scores")


def _check(output: Path, lora_alpha: float) -> None:
    """Before anything is read: nothing of others may be in the way."""
    if not (math.isfinite(lora_alpha) and lora_alpha > 0):
        raise SetupError(f"--lora-alpha is {lora_alpha:g}, it must be above 0; the authors' is 1")
    if output.exists() and not output.is_dir():
        raise SetupError(f"--output {output} is a file: name a new folder")
    found = {path.name for path in output.glob("*") if not path.name.endswith(".part")}
    foreign = sorted(found - OURS) or (sorted(found) if detectors.CARD not in found else [])
    if foreign:
        raise SetupError(f"--output {output} holds what is no detector of ours: {', '.join(foreign[:5])}. Name another")


def _row(layout: published.Layout, lora_alpha: float) -> dict[str, Any]:
    """The catalog's row of the network, with the checkpoint's own adapters."""
    row = catalog.get("detectors", layout.row)
    alpha = int(lora_alpha) if lora_alpha.is_integer() else lora_alpha
    lora = {**row["lora"], "rank": layout.rank, "alpha": alpha, "targets": layout.targets}
    licence = f"{row['licence']} for DINOv2; {UNSTATED}"
    return {**row, "lora": lora, "licence": licence, "pretrained": not layout.has_backbone}


def _tell(layout: published.Layout, row: Row) -> None:
    lora = f"LoRA of rank {layout.rank}, scale {row['lora']['alpha']:g}/{layout.rank}"
    where = "all weights are in the file" if layout.has_backbone else "the backbone is not in the file"
    print(f"{layout.row}: {row['backbone']}, {row['parameters']:,} parameters, {lora}; {where}")


def _shapes(row: Row) -> dict[str, tuple[int, ...]]:
    """The shapes of the network's tensors, adapters apart."""
    import torch

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build_network(row).state_dict().items()}


def _network(row: Row, converted: published.Converted) -> Any:
    """The backbone and head, without adapters: from the file, or where it has no backbone from the hub."""
    network = backbones.build(row)
    if not row["pretrained"]:
        network.load_state_dict(converted.network)
    return network
