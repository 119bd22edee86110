"""The benchmark of the views runs and says what it must; how fast, no test asks."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench/loader.py"
SAYS = (
    r"2 pairs, [\d.]+ megapixels on average; ",
    r"crop first: [\d.]+ crops a second per core, \d+% of the time decodes",
    r"crop last: [\d.]+ crops a second per core, \d+% of the time decodes",
    r"crop first against crop last: [\d.]+ times as many, [\d.]+ without decoding",
    r"values of both: [\d.]+% equal, [\d.]+% within two grey levels",
)


def test_views_are_measured_crop_first_and_crop_last_in_one_run():
    command = [sys.executable, str(SCRIPT), "--n", "2", "--rounds", "1"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=400).stdout
    assert [sentence for sentence in SAYS if not re.search(sentence, out)] == []
