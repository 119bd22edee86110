"""A small detector on the disk, calibrated, of random weights: made in a second, where no test needs a trained one."""

from pathlib import Path

import numpy as np

from dda.core.descriptions import describe
from dda.core.windows import windows_of
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import detectors, exports

ROW = {
    "backbone": "resnet10t",
    "options": {"stem_width": 8, "channels": [8, 8, 16, 16]},
    "lora": None,
    "preprocessing": {
        **{"input_px": 64, "crop": "centre", "pad": "black"},
        **{"mean": [0.5, 0.4, 0.5], "std": [0.25, 0.25, 0.3]},
    },
    "licence": "Apache-2.0",
}
CALIBRATION = {"temperature": 0.5, "thresholds": {"0.01": 0.1}, "fitted_on": None}
PHOTOS = [np.asarray(originals(photograph)[0])[:190, : 50 + 90 * i] for i, photograph in enumerate(PHOTOGRAPHS[:3])]
WINDOWS = [window for pixels in PHOTOS for window in windows_of(pixels, 64, "five")]


def write(folder: Path, formats=(), row=ROW) -> Path:
    """The detector's folder, with these exports in it."""
    import torch

    from dda.core.networks import build_network

    torch.manual_seed(0)
    described = describe("small", row, "dda 0.0.0")
    description = {**described, "calibration": CALIBRATION, "data": {"tiny": {"pairs_sha256": "0" * 32}}}
    detectors.save(folder, build_network(description["architecture"]).eval(), description, "# card")
    exports.add(folder, formats, WINDOWS)
    return folder
