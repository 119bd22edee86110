"""Whatever lies in a detector's folder, ready to judge: our networks, and detectors of every other kind."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dda.core import kinds
from dda.core.errors import SetupError
from dda.io import callables, inference, metadata, onnx_models, pyfuncs, rigid
from dda.io.detectors import DESCRIPTION, NetworkJudge, described
from dda.io.images import LabelledImage
from dda.io.inference import Counts, Judge, Question
from dda.io.metadata import Metadata
from dda.io.predictions import Parts

LOADED: dict[str, Callable[..., Any]] = {
    "onnx": onnx_models.load,
    "pyfunc": pyfuncs.load,
    "callable": callables.load,
    "rigid": rigid.load,
    "metadata": metadata.load,
}


def load(folder: Path, precision: str) -> Judge | Metadata:
    """The detector of a folder, whatever its kind, for `run`.

    `precision` is that of a network (io.detectors); a file or code of others has its own. Raises SetupError where the
    folder holds no detector, or another one than its description says.
    """
    description = described(folder)
    if "kind" not in description:
        return NetworkJudge.load(folder, precision=precision)
    try:
        kinds.check(description)
    except SetupError as error:
        raise SetupError(f"{folder / DESCRIPTION} describes no detector: {error}") from error
    judge: Judge | Metadata = LOADED[description["row"]["kind"]](folder, description, precision)
    return judge


def run(
    judge: Judge | Metadata,
    question: Question,
    images: Iterable[LabelledImage],
    parts: Parts,
    advance: Callable[[int], None],
) -> Counts:
    """Write the table of all images: by io.inference whoever looks at pixels, by io.metadata the one that does not."""
    if isinstance(judge, Metadata):
        return metadata.run(judge, question, images, parts, advance)
    return inference.run(judge, question, images, parts, advance)
