"""The benchmark of the align stage runs and says what it must; how fast, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench/align.py"
LINE = r"recommended, +{} = {} pairs: floor [\d.]+ s and [\d.]+ s, stage [\d.]+ s: [\d.]+ times the floor, \d+ pairs"


@pytest.mark.slow
def test_the_stage_is_measured_against_the_codecs_at_three_sizes_in_one_run():
    command = [sys.executable, str(SCRIPT), "--n", "3"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=400).stdout
    assert [bool(re.search(LINE.format(*size), out)) for size in (("N", 3), ("2N", 6), ("4N", 12))] == [True] * 3
