"""A detector as a file that runs without dda.    dda export DETECTOR --format onnx --output FOLDER"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dda.core import export_card
from dda.core.windows import Pixels, windows_of
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import atomic, detectors, exports, sources

README = "README.md"
COMPARED = 16
"""So many windows of real photographs the file's logits are compared on."""


def run(model: str, formats: Sequence[str], output: Path) -> None:
    """Write the files and a page that says how to use them, and say how near their logits are to the network's."""
    folder = sources.folder_of(model)
    size = int(detectors.network_description(folder)["preprocessing"]["input_px"])
    written = exports.write(folder, output, formats, _photos(size))
    atomic.write_text(output / README, export_card.page(detectors.described(output)))
    for name, facts in written.items():
        told = f"{facts['max_difference']:.1e} at most from the network's on {COMPARED} windows of real photographs"
        print(f"{output / exports.FORMATS[name]}: logits {told}")


def _photos(size_px: int) -> list[Pixels]:
    """Windows of the embedded photographs."""
    pictures = (np.asarray(originals(photograph)[0]) for photograph in PHOTOGRAPHS)
    found = [window for pixels in pictures for window in windows_of(pixels, size_px, "five")]
    return found[:: max(1, len(found) // COMPARED)][:COMPARED]
