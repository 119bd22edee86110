"""Detectors of every kind put in place and asked about small sets of images, for tests."""

import numpy as np
from PIL import Image

from dda.core import kinds, protocols
from dda.core.labels import FAKE, REAL
from dda.io import inference, judges, placing, tables
from dda.io.layouts import LabelledImage
from dda.io.predictions import Parts

SEEN = {"input_px": 32, "crop": "centre", "pad": "black", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


def placed(folder, sets=None, **row):
    """Put a detector of this row in place; its folder."""
    description = kinds.describe("mine", {"licence": "MIT", **row}, "dda 0.0.0")
    placing.place(description, folder, sets or {})
    return folder


def question(*names, views="centre", batch=4):
    return inference.Question(tuple(map(protocols.parse, names)), views, 0, 10**7, batch)


def ask(folder, images, scratch, *names, **asked):
    """The table that the detector of a folder makes, and the counts."""
    path = scratch / "table.parquet"
    judge = judges.load(folder, "float32")
    counts = judges.run(judge, question(*names or ("native",), **asked), images, Parts(scratch / "parts", path), len_of)
    return tables.read(path), counts


def len_of(n):
    assert n >= 0


def labelled(folder, name, label, save=None):
    """An image of its own, saved in a folder, with its label."""
    random = np.random.default_rng(list(name.encode()))
    pixels = random.integers(0, 255, (40, 48, 3), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name, **(save or {}))
    return LabelledImage(name, name, "real" if label == REAL else "gan", "here", label, folder / name)


def some(folder, n=6):
    """So many PNG images, real and fake by turns."""
    return [labelled(folder, f"{number}.png", FAKE if number % 2 else REAL) for number in range(n)]
