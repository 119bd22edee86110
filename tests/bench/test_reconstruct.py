"""The benchmark runs and says what it must; how fast, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench/reconstruct.py"
SAYS = (
    r"plain loop, \w+: [\d.]+ s, [\d.]+ a second, [\d.]+ GiB at most",
    r"engine, 4N = \d+ photos: .* mean -?[\d.]+ dB",
    r"engine against plain loop: [\d.]+ times as many photos a second",
    r"the model computes \d+% of the time of \d+ worker",
    r"4N: [\d.]+ of linear growth of time, [\d.]+ times the memory of N",
)


def said(*options):
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=500).stdout


@pytest.mark.slow
def test_the_engine_is_measured_against_a_plain_loop_in_one_run():
    out = said("--n", "2", "--cpus-per-worker", "64")
    assert [line for line in SAYS if not re.search(line, out)] == []


@pytest.mark.gpu
def test_the_architecture_of_stable_diffusion_is_measured_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    out = said("--vae", "sd21-random", "--size", "640x480", "--n", "32", "--plain-precision", "float16")
    assert [line for line in SAYS if not re.search(line, out)] == []
