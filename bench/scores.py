"""All numbers of a table with their intervals, against a loop over scikit-learn, in one run.    python bench/scores.py

The loop draws whole clusters, takes their rows and asks scikit-learn for the same numbers, a draw at a time. Where it
would take minutes it makes fewer draws, and is compared by the time of a draw; ours always makes all. The breakdown by
ten generators, three sources and four resolutions is measured beside it, and how ours grows from N to 2N and 4N.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dda import quiet
from dda.core import points, scores

LOOP_IMAGES = 2_000_000  # that the loop draws at each size
GENERATORS, SOURCES = 10, 3


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    settings = scores.Settings(options.samples, 0, 1.7, {"0.01": 2.3, "0.05": 1.4})
    scores.summarise(table_of(100), settings)  # imports take their time once, and belong to no size
    for n_images in options.images:
        tell(n_images, settings)
    growth(max(options.images), settings)


def tell(n_images: int, settings: scores.Settings) -> None:
    """One size: the loop, all numbers of the whole, and those of its parts."""
    table, n_looped = table_of(n_images), max(3, min(settings.samples, LOOP_IMAGES // n_images))
    loop_s = seconds(partial(loop, table, settings, n_looped)) / n_looped * settings.samples
    whole_s = seconds(partial(scores.summarise, table, settings))
    parts_s = seconds(partial(scores.breakdown, table, settings))
    told = f"loop {loop_s:.1f} s (from {n_looped} draws), summarise {whole_s:.2f} s, breakdown {parts_s:.2f} s"
    print(f"{n_images} images, {settings.samples} draws: {told}: {loop_s / whole_s:.0f} times as fast", flush=True)


def growth(n_images: int, settings: scores.Settings) -> None:
    """Time of all numbers at a quarter, a half and the whole of a size, beside linear growth."""
    sizes = [n_images // 4, n_images // 2, n_images]
    times_s = [seconds(partial(scores.summarise, table_of(size), settings)) for size in sizes]
    told = [f"{size}: {time_s:.2f} s" for size, time_s in zip(sizes, times_s, strict=True)]
    beside = [f"{times_s[0] * times / time_s:.2f}" for times, time_s in zip((2, 4), times_s[1:], strict=True)]
    print(f"N, 2N, 4N = {', '.join(told)}; {' and '.join(beside)} of linear at 2N and 4N", flush=True)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def loop(table: pd.DataFrame, settings: scores.Settings, n_draws: int) -> list[dict[str, Any]]:
    """The plain way: a draw's rows, then each number by scikit-learn."""
    labels, logits = table["label"].to_numpy(int), table["logit"].to_numpy(float)
    members = list(table.groupby("cluster", sort=True).indices.values())
    rng = np.random.default_rng(settings.seed)
    found = []
    for _ in range(n_draws):
        rows = np.concatenate([members[one] for one in rng.integers(len(members), size=len(members))])
        drawn = labels[rows], logits[rows]
        at_thresholds = [points.accuracies(*drawn, logit) for logit in (0.0, *settings.thresholds.values())]
        calibrated = points.calibration_errors(*drawn, settings.temperature or 1.0)
        found.append({**points.separation(*drawn), **calibrated, "at_thresholds": at_thresholds})
    return found


def table_of(n_images: int) -> pd.DataFrame:
    """Pairs of a real and a fake, with logits of a detector that is right in three of four cases."""
    rng, pair, label = np.random.default_rng(0), np.arange(n_images) // 2, np.arange(n_images) % 2
    generators = np.array([f"generator-{number}" for number in range(GENERATORS)])[pair % GENERATORS]
    columns = {
        "image_id": [f"image-{number}" for number in range(n_images)],
        "cluster": [f"pair-{number}" for number in pair],
        "generator": np.where(label == 1, generators, "real"),
        "source": np.array([f"source-{number}" for number in range(SOURCES)])[pair % SOURCES],
        "label": label,
        "logit": rng.normal(2 * label - 1, 1.5),
        "width": rng.integers(100, 2000, n_images),
        "height": rng.integers(100, 2000, n_images),
    }
    return pd.DataFrame(columns).astype({"label": "Int64", "logit": "Float64", "width": "Int64", "height": "Int64"})


if __name__ == "__main__":
    quiet.apply()
    main()
