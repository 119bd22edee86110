"""A detector that needs no training is put in place: its folder is written, as one that was trained has it."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dda.core import model_card
from dda.io import callables, onnx_models, pyfuncs, rigid
from dda.io.atomic import write_json, write_text
from dda.io.detectors import CARD, DESCRIPTION


def _nothing(row: Mapping[str, Any], folder: Path, sets: Mapping[str, Path]) -> dict[str, Any]:
    """What the metadata baseline needs: it is fitted where it judges."""
    del row, folder, sets
    return {}


PLACED: dict[str, Callable[..., dict[str, Any]]] = {
    "onnx": onnx_models.place,
    "pyfunc": pyfuncs.place,
    "callable": callables.place,
    "rigid": rigid.place,
    "metadata": _nothing,
}


def place(description: Mapping[str, Any], folder: Path, sets: Mapping[str, Path]) -> str:
    """Write the folder of a detector by core.kinds.describe, in place of an earlier one; a sentence about it.

    `sets` are aligned pairs by VAE, of which only `rigid` sees any. Raises SetupError, and leaves an earlier folder,
    where what the row names is not there, or not what it says.
    """
    row = description["row"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        whole = {**description, **PLACED[row["kind"]](row, made, sets)}
        write_text(made / CARD, model_card.kind_card(whole))
        write_json(made / DESCRIPTION, whole)
        if folder.is_dir():
            shutil.rmtree(folder)
        made.replace(folder)
    return f"{description['name']}: of kind {row['kind']}, put into {folder}; nothing was learnt"
