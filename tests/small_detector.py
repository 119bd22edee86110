"""A detector with random weights that looks at windows of 64 pixels: fast, and as real as any."""

from dda.core.descriptions import describe
from dda.core.networks import build_network
from dda.io import detectors

ROW = {
    "backbone": "resnet10t",
    "options": {"stem_width": 8, "channels": [8, 8, 16, 16]},
    "lora": None,
    "preprocessing": {
        **{"input_px": 64, "crop": "centre", "pad": "black"},
        **{"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    },
    "licence": "Apache-2.0",
}
CALIBRATION = {"temperature": 0.5, "thresholds": {"0.01": 0.1}, "fitted_on": None}


def write(folder):
    """Write it into a folder, which is given back."""
    import torch

    torch.manual_seed(0)
    description = {**describe("small", ROW, "dda 0.0.0"), "calibration": CALIBRATION}
    detectors.save(folder, build_network(description["architecture"]).eval(), description, "# card")
    return folder
