"""The benchmark of the numbers runs and says what it must; how fast, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench/scores.py"
LINE = (
    r"{} images, 20 draws: loop [\d.]+ s \(from 20 draws\), summarise [\d.]+ s, breakdown [\d.]+ s: \d+ times as fast"
)


def test_numbers_are_measured_against_a_loop_and_for_their_growth():
    command = [sys.executable, str(SCRIPT), "--images", "100", "400", "--samples", "20"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    assert [bool(re.search(LINE.format(size), out)) for size in (100, 400)] == [True] * 2
    assert re.search(r"N, 2N, 4N = 100: [\d.]+ s, 200: [\d.]+ s, 400: [\d.]+ s; [\d.]+ and [\d.]+ of linear", out)
