"""Judging a benchmark against one image at a time, in one run.    python bench/evaluate.py --photos FOLDER

The plain loop is what one would write first: open, decode, cut the window, normalise on the CPU, ask the network, note
the logit. The harness is what `dda evaluate` does: it hashes files, decodes ahead, asks in batches, writes a table.
They take turns, since a machine's speed drifts. Then the table is asked for again, and with one more protocol: what is
known is not asked again. Weights are random, which changes no rate, so nothing is fetched.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import inputs
import numpy as np
from measure import timed
from PIL import Image

from dda import catalog, quiet
from dda.core import descriptions, protocols
from dda.core.labels import FAKE, REAL
from dda.core.networks import build_network
from dda.core.windows import centre_window
from dda.io import devices, inference, predictions
from dda.io.detectors import NetworkJudge
from dda.io.layouts import LabelledImage

MAX_PIXELS = 200_000_000
AGREEMENT = {"float32": 1e-3, "bfloat16": 0.3}


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", default="embedded", help="a row of the catalog, with random weights")
    parser.add_argument("--photos", default="embedded", help="a folder, or embedded")
    parser.add_argument("--size", default="", help="photos are resized to it, such as 640x480")
    parser.add_argument("--n", type=int, default=300, help="images")
    parser.add_argument("--batch", type=int, default=32, help="windows that the harness asks at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="of the harness")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        photos = inputs.photos_of(options.photos, options.n, Path(name), options.size)
        print(f"{options.detector}, {len(photos)} images, {inputs.described(photos)}; {inputs.machine()}", flush=True)
        measure(options, photos, Path(name))


def measure(options: argparse.Namespace, photos: list[str], folder: Path) -> None:
    """Both ways in turn, then what asking again costs."""
    judge = judge_of(options.detector, options.precision)
    images = [
        LabelledImage(str(number), str(number), "some", "bench", (REAL, FAKE)[number % 2], Path(path))
        for number, path in enumerate(photos)
    ]
    plain, harness = [], []
    asked(judge, options.batch, ("native",), images[:64], folder / "warm")
    for number in range(options.rounds):
        seconds, logits = timed(lambda: one_at_a_time(judge, photos))
        plain.append(len(photos) / seconds)
        path = folder / str(number)
        seconds, table = timed(lambda path=path: asked(judge, options.batch, ("native",), images, path))
        harness.append(len(photos) / seconds)
        worst = float(np.max(np.abs(np.array(table["logit"], float) - logits)))
        if worst > AGREEMENT[options.precision]:
            sys.exit(f"the two disagree by {worst} in a logit")
        print(f"one at a time {plain[-1]:.1f}, harness {harness[-1]:.1f} images a second", flush=True)
    ratios = [fast / slow for fast, slow in zip(harness, plain, strict=True)]
    spread = f"rounds {min(ratios):.2f} to {max(ratios):.2f}"
    print(f"harness against one at a time: {statistics.median(ratios):.2f} times ({spread})")
    again(judge, options.batch, images, path)


def again(judge: NetworkJudge, batch: int, images: list[LabelledImage], path: Path) -> None:
    """What a finished table, and one more protocol, cost."""
    first, _ = timed(lambda: asked(judge, batch, ("native",), images, path / "first"))
    known, _ = timed(lambda: asked(judge, batch, ("native",), images, path / "first"))
    more, _ = timed(lambda: asked(judge, batch, ("native", "all-q96"), images, path / "first"))
    print(f"first {first:.2f} s, again {known:.2f} s, with all-q96 besides {more:.2f} s")


def judge_of(detector: str, precision: str) -> NetworkJudge:
    """A detector of a row, with random weights."""
    import torch

    torch.set_float32_matmul_precision("highest")
    row = catalog.get("detectors", detector)
    description = descriptions.describe(detector, row, "bench")
    device = devices.best()
    return NetworkJudge(build_network(row).to(device).eval(), description, device, precision)


def one_at_a_time(judge: NetworkJudge, photos: list[str]) -> Any:
    """The plain loop's logits."""
    import torch

    seen = judge.description["preprocessing"]
    mean, std = (np.array(seen[name], np.float32) for name in ("mean", "std"))
    logits = []
    with torch.inference_mode():
        for path in photos:
            with Image.open(path) as image:
                window = centre_window(np.asarray(image.convert("RGB")), seen["input_px"])
            batch = torch.from_numpy((window.astype(np.float32) / 255 - mean) / std).permute(2, 0, 1)[None]
            logits.append(float(judge.network(batch.to(judge.device)).item()))
    return np.array(logits)


def asked(judge: NetworkJudge, batch: int, names: tuple[str, ...], images: list[LabelledImage], folder: Path) -> Any:
    """The harness's table."""
    from dda.io import tables

    question = inference.Question(tuple(map(protocols.parse, names)), "centre", 0, MAX_PIXELS, batch)
    parts = predictions.Parts(folder / "parts", folder / "table.parquet")
    inference.run(judge, question, images, parts, lambda _: None)
    return tables.read(folder / "table.parquet")


if __name__ == "__main__":
    quiet.apply()
    main()
