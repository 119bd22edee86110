"""The state of an unfinished run on disk: whoever is killed goes on from there."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dda.io.atomic import whole

FILE = "state.pt"
log = logging.getLogger(__name__)


def save(folder: Path, fingerprint: str, state: Mapping[str, Any]) -> None:
    """Keep a state (tensors, numbers, words, lists and dicts of them) in place of the one before."""
    import torch

    with whole(folder / FILE) as temporary:
        torch.save({"fingerprint": fingerprint, "state": dict(state)}, temporary)


def load(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state of a run with this fingerprint, or None where there is none; any other one is said to be of no use."""
    import torch

    path = folder / FILE
    if not path.is_file():
        return None
    refused = torch.serialization.pickle.UnpicklingError
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (refused, RuntimeError, OSError, ValueError, EOFError, KeyError) as error:
        log.warning("%s cannot be read, the run begins anew: %s", path, error)
        return None
    if not isinstance(found, dict) or found.get("fingerprint") != fingerprint:
        log.warning("%s is of a run with other data, settings or code: the run begins anew", path)
        return None
    state: dict[str, Any] = found["state"]
    return state


def forget(folder: Path) -> None:
    """Nothing is left to go on from."""
    shutil.rmtree(folder, ignore_errors=True)
