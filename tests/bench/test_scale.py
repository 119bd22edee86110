"""The benchmark of growth runs and says what it must; how much, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench/scale.py"
LINE = r"write [\d.]+ s, read [\d.]+ s, records [\d.]+ s, [\d.]+ MB, memory [\d.]+ GiB"


def test_growth_is_measured_three_times_and_carried_on():
    command = [sys.executable, str(SCRIPT), "--only", "index", "--index", "20"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert [bool(re.search(rf"^ +{count}: {LINE}$", out, re.MULTILINE)) for count in (20, 40, 80)] == [True] * 3
    assert re.search(rf"^ +1000000: {LINE} \(carried on\)$", out, re.MULTILINE)
