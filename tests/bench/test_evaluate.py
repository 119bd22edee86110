"""The benchmark of evaluation runs and says what it must; how fast, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench/evaluate.py"
SAYS = (
    r"one at a time [\d.]+, harness [\d.]+ images a second",
    r"harness against one at a time: [\d.]+ times \(rounds [\d.]+ to [\d.]+\)",
    r"first [\d.]+ s, again [\d.]+ s, with all-q96 besides [\d.]+ s",
)


def missing(*options):
    command = [sys.executable, str(SCRIPT), *options]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    return [sentence for sentence in SAYS if not re.search(sentence, out)]


def test_the_harness_is_measured_against_one_image_at_a_time():
    assert missing("--n", "6", "--rounds", "1") == []


@pytest.mark.gpu
def test_the_papers_detector_is_measured_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    assert missing("--detector", "dinov2-l14", "--precision", "bfloat16", "--size", "640x480", "--n", "500") == []
