"""Checkpoints of others: files of tensors, read without ever running what a pickle may hold."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by their names, on the CPU, and the file that they came from (`file`, `sha256`, `bytes`)."""

    tensors: dict[str, Any]
    source: dict[str, Any]


def read(path: Path) -> Checkpoint:
    """The tensors of a `.pth` of torch, bare or below `model`, or of a `.safetensors` file.

    Raises SetupError where there is no such file, it is damaged, or it holds anything besides tensors and plain values.
    """
    if not path.is_file():
        raise SetupError(f"no checkpoint at {path}: name a file of torch or of safetensors")
    loaded = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    loaded = loaded.get("model", loaded) if isinstance(loaded, dict) else loaded
    return Checkpoint(_tensors(path, loaded), _source(path))


def _torch(path: Path) -> Any:
    import torch

    with path.open("rb") as file:
        is_cut = file.read(2) == b"PK" and not zipfile.is_zipfile(path)
    if is_cut:
        raise SetupError(f"{path} is cut off: its end is missing. Get it again")
    refused = torch.serialization.pickle.UnpicklingError
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (refused, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        told = "is no checkpoint of torch, or holds more than tensors"
        safe = "a pickle that holds more than tensors is not loaded, since it could run code"
        raise SetupError(f"{path} {told}{_culprit(error)}: {safe}. Save its state_dict alone") from error


def _culprit(error: Exception) -> str:
    """The object that torch would not load, in brackets, where its message names one."""
    _, found, rest = str(error).partition("GLOBAL ")
    return f" ({rest.split()[0]})" if found and rest else ""


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise SetupError(f"{path} is no complete safetensors file: {error}. Get it again") from error


def _tensors(path: Path, loaded: Any) -> dict[str, Any]:
    """What was loaded, where it is nothing but tensors by their names."""
    import torch

    if not isinstance(loaded, dict):
        raise SetupError(f"{path} holds a {type(loaded).__name__}, not tensors by their names")
    odd = [str(name) for name, value in loaded.items() if not (isinstance(name, str) and torch.is_tensor(value))]
    if odd or not loaded:
        reason = f"{odd[0]!r} is no tensor" if odd else "it is empty"
        raise SetupError(f"{path} does not hold tensors by their names, bare or below 'model': {reason}")
    return dict(loaded)


def _source(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size}
