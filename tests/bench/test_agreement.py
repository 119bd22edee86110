"""Python, the command, the page and MLflow's server say the same of the same files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests import small_detector

SCRIPT = Path(__file__).parents[2] / "bench/agreement.py"


@pytest.mark.slow
def test_all_four_ways_judge_photos_and_refuse_what_is_none_alike(tmp_path):
    model = small_detector.write(tmp_path / "small", ["onnx"])
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, pixels in enumerate(small_detector.PHOTOS):
        Image.fromarray(pixels).save(photos / f"{number}.jpg")
    (photos / "broken.jpg").write_bytes(b"no image")
    command = [sys.executable, SCRIPT, photos, "--model", model, "--views", "five"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    assert out[0] == "4 images, five; Python: 3 judged, 1 not"
    for line, way in zip(out[1:], ("dda detect", "dda web", "mlflow models serve"), strict=True):
        assert re.fullmatch(rf"{way}: 3 judged, 1 not, logits differ by at most \S+", line)
