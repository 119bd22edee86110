"""The machine's compute devices. A machine's choice, so an environment variable and never a parameter."""

import os
import warnings


def best() -> str:
    """DDA_DEVICE where it is set, else the first GPU, else the CPU; a name for torch, such as `cuda` or `cpu`."""
    import torch

    chosen = os.environ.get("DDA_DEVICE")
    if chosen:
        return chosen
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a driver that is too old is the same as no GPU
        return "cuda" if torch.cuda.is_available() else "cpu"
