"""`dda detect` on a folder against one image at a time, in one run.    python bench/detect.py --photos FOLDER

The plain loop is what one would write first: open a photo, ask the detector, note the logit. The command's engine
decodes in threads while the network works on windows of many photos. They take turns, since a machine's speed drifts.
Then: how time grows with photos, what memory they take in processes of their own, and how long the whole command takes
for one photo. Weights are random where no detector is named, which changes no rate.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import inputs
import measure

from dda import quiet


def main() -> None:
    """Measure, and print what was measured; or do the part of a measurement that has a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="", help="a detector's folder; else the embedded one with random weights")
    parser.add_argument("--photos", default="embedded", help="a folder, or embedded")
    parser.add_argument("--size", default="", help="photos are resized to it, such as 640x480")
    parser.add_argument("--n", type=int, default=500, help="photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", default=[100, 1000], help="numbers of photos for the memory")
    parser.add_argument("--starts", type=int, default=5, help="runs of the whole command for one photo")
    parser.add_argument("--work", nargs=2, help="for processes of its own")
    options = parser.parse_args()
    if options.work:
        judge(json.loads(Path(options.work[1]).read_text("utf-8")))
        return
    with tempfile.TemporaryDirectory() as name:
        photos = inputs.photos_of(options.photos, options.n, Path(name), options.size)
        model = options.model or random_detector(Path(name) / "embedded")
        print(f"{len(photos)} photos, {inputs.described(photos)}; {inputs.machine()}", flush=True)
        compare(model, photos, options.rounds)
        memory(model, photos, options.memory)
        if options.starts:
            start(model, photos[0], options.starts)


def random_detector(folder: Path) -> str:
    """The embedded detector's network with random weights, and its ONNX file, in a folder."""
    import numpy as np

    from dda import catalog
    from dda.core import descriptions
    from dda.core.networks import build_network
    from dda.io import detectors, exports

    row = catalog.get("detectors", "embedded")
    detectors.save(folder, build_network(row).eval(), descriptions.describe("embedded", row, "bench"), "# bench")
    side = row["preprocessing"]["input_px"]
    windows = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), np.uint8)
    exports.add(folder, ["onnx"], list(windows))
    return str(folder)


def compare(model: str, photos: list[str], rounds: int) -> None:
    """Both ways in turn, the model's share, and whether twice the photos take twice the time."""
    detector = loaded(model)
    list(detector.stream(photos[:64]))
    plain, many, shares = [], [], []
    for _ in range(rounds):
        seconds, wanted = measure.timed(lambda: [detector.predict(photo)[0].logit for photo in photos])
        plain.append(len(photos) / seconds)
        watched, spent = with_clock(detector)
        seconds, found = measure.timed(lambda watched=watched: [one.logit for one in watched.stream(photos)])
        many.append(len(photos) / seconds)
        shares.append(spent[0] / seconds)
        worst = max(abs(one - other) for one, other in zip(wanted, found, strict=True))
        if worst > 1e-3:
            sys.exit(f"the two disagree by {worst} in a logit")
        print(f"one at a time {plain[-1]:.1f}, dda detect {many[-1]:.1f} photos a second", flush=True)
    ratios = [fast / slow for fast, slow in zip(many, plain, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"dda detect against one at a time: {statistics.median(ratios):.2f} times ({spread})")
    print(f"of its time, the model takes {statistics.median(shares):.0%}")
    growth(detector, photos)


def growth(detector: Any, photos: list[str]) -> None:
    """Seconds of N, 2 N and 4 N photos."""
    n = max(1, len(photos) // 4)
    told = []
    for size in (n, 2 * n, 4 * n):
        seconds, _ = measure.timed(lambda size=size: list(detector.stream(photos[:size])))
        told.append(f"{size} in {seconds:.2f} s")
    print(f"photos: {', '.join(told)}", flush=True)


def with_clock(detector: Any) -> tuple[Any, list[float]]:
    """The detector with a runtime that adds up the seconds it works."""
    from dataclasses import replace

    spent = [0.0]

    class Clocked:
        description = detector.runtime.description

        def scores(self, windows: Any) -> list[float]:
            seconds, found = measure.timed(lambda: detector.runtime.scores(windows))
            spent[0] += seconds
            return list(found)

    return replace(detector, runtime=Clocked()), spent


def memory(model: str, photos: list[str], counts: list[int]) -> None:
    """Peaks of processes that judge few and many photos."""
    told = []
    for count in counts:
        task = {"model": model, "photos": inputs.repeated(photos, count)}
        told.append(f"{count} photos {measure.measured(__file__, 'judge', task)['peak_bytes'] / 1e6:.0f} MB")
    print(f"memory: {', '.join(told)}", flush=True)


def judge(task: dict[str, Any]) -> None:
    """Judge a task's photos and say how many, as the command does."""
    detector = loaded(task["model"])
    print(json.dumps({"judged": sum(one.logit is not None for one in detector.stream(task["photos"]))}))


def loaded(model: str) -> Any:
    """The detector, as the command loads it."""
    from dda import Detector

    return Detector.load(model)


def start(model: str, photo: str, starts: int) -> None:
    """Seconds of the whole command for one photo."""
    words = [sys.executable, "-m", "dda", "detect", photo, "--model", model]
    seconds = [measure.timed(lambda: subprocess.run(words, check=True, capture_output=True))[0] for _ in range(starts)]
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    print(f"dda detect of one photo: {statistics.median(seconds):.2f} s ({spread}, {starts} runs)")


if __name__ == "__main__":
    quiet.apply()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does
    main()
