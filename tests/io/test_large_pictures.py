"""Photos of 100 megapixels: judged within two gigabytes, and one at a time, whatever the number of threads."""

import json
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from dda.io import pictures
from tests import small_detector

SIDE_PX = 10_000
MAX_BYTES = 2 * 2**30
JUDGE = """
import json, resource, sys
from dda import Detector
found = Detector.load(sys.argv[1], "cpu").predict(sys.argv[2:], views="tiles")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"errors": [one.error for one in found], "n": [len(one.windows) for one in found], "peak": peak}))
"""


@pytest.mark.slow
def test_photos_of_100_megapixels_are_judged_within_two_gigabytes(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turning a photo takes a second copy of it
    plain = Image.new("RGB", (SIDE_PX, SIDE_PX), "teal")
    plain.save(tmp_path / "a.jpg", exif=exif)
    plain.save(tmp_path / "b.jpg", progressive=True)
    plain.convert("RGBA").save(tmp_path / "c.png", compress_level=1)
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.png")]
    folder = str(small_detector.write(tmp_path / "small", ["onnx"]))
    command = [sys.executable, "-c", JUDGE, folder, *paths]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (told["errors"], told["n"]) == ([None] * 3, [64] * 3)
    assert told["peak"] < MAX_BYTES


def test_large_ones_wait_for_one_another_and_small_ones_do_not(monkeypatch):
    monkeypatch.setattr(pictures, "BIG_PIXELS", 100)
    inside, most = [], []

    def look(side_px):
        with pictures.opening(Image.new("RGB", (side_px, side_px))):
            inside.append(side_px)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(side_px)

    def all_at_once(side_px):
        most.clear()
        threads = [threading.Thread(target=look, args=(side_px,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return max(most)

    assert all_at_once(20) == 1
    assert all_at_once(5) > 1
