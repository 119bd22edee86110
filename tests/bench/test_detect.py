"""The benchmark of detecting runs and says what it must; how fast, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench/detect.py"
SAYS = (
    r"one at a time [\d.]+, dda detect [\d.]+ photos a second",
    r"dda detect against one at a time: [\d.]+ times \([\d.]+ to [\d.]+\)",
    r"of its time, the model takes \d+%",
    r"photos: 2 in [\d.]+ s, 4 in [\d.]+ s, 8 in [\d.]+ s",
    r"memory: 9 photos \d+ MB",
)


def test_the_command_is_measured_against_one_image_at_a_time():
    command = [sys.executable, str(SCRIPT), "--n", "8", "--rounds", "1", "--memory", "9", "--starts", "0"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert [sentence for sentence in SAYS if not re.search(sentence, out)] == []
