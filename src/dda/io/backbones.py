"""Networks of the catalog with the weights that others have published, which the hub's cache or the hub itself has."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from dda.core.errors import SetupError
from dda.core.networks import build_network
from dda.core.positions import resized

Row = Mapping[str, Any]


def build(row: Row) -> Any:
    """The network of a detector's row; where the row says so, with published weights under a head that is new.

    DINOv2's position embeddings are resized as its authors do it. Tells what is fetched. Raises SetupError where the
    weights are neither cached nor to be had.
    """
    if not row["pretrained"]:
        return build_network(row)
    told = f"{row['backbone']}: {row['parameters']:,} parameters, {row['download_bytes']:,} bytes from the hub"
    print(f"{told} unless they are cached", flush=True)
    if "dinov2" not in row["backbone"]:
        return _fetched(row)
    published = _fetched({"backbone": row["backbone"]}).state_dict()
    network = build_network(row)
    published["pos_embed"] = _fitting(published["pos_embed"], network.pos_embed.shape[1], "reg_token" in published)
    network.load_state_dict(published)
    return network


def _fetched(architecture: Row) -> Any:
    """timm's network with its published weights."""
    from huggingface_hub.errors import HFValidationError, HTTPError
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return build_network(architecture, pretrained=True)
    except (HTTPError, OSError, HFValidationError, RuntimeError) as error:
        logging.getLogger(__name__).debug("getting %s failed", architecture["backbone"], exc_info=True)
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")
        told = f"cannot get the weights of {architecture['backbone']}: {first}"
        step = "connect once, so that they are cached, and unset HF_HUB_OFFLINE where it is set"
        raise SetupError(f"{told}: {step}") from error


def _fitting(positions: Any, n_wanted: int, has_registers: bool) -> Any:
    """timm's position embeddings for another grid; with registers, they have none for CLS."""
    import torch

    if not has_registers:
        return resized(positions, n_wanted - 1, has_registers)
    with_cls = torch.cat([torch.zeros_like(positions[:, :1]), positions], dim=1)
    return resized(with_cls, n_wanted, has_registers)[:, 1:]
