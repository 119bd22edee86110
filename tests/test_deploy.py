"""docs/deploy.md: the units are what systemd accepts, and read what the page says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNITS = sorted((ROOT / "docs/systemd").glob("*.service"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_accepted_by_systemd(unit, tmp_path):
    """With programs of this machine, since systemd looks whether they are there."""
    here = re.sub(r"/(opt|srv)/dda/\.venv/bin", str(Path(sys.executable).parent), unit.read_text())
    copy = tmp_path / unit.name
    copy.write_text(here.replace("file:///opt/dda/docs/deploy.md", "https://example.org/deploy"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert told == []
    assert done.returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_and_the_files_that_it_reads_stand_on_the_page(unit):
    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    files = re.findall("^EnvironmentFile=(.+)$", unit.read_text(), re.MULTILINE)
    assert unit.stem in page
    assert [file for file in files if file not in page] == []


def test_the_page_names_every_policy_and_every_setting_of_services():
    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    assert [path.name for path in (ROOT / "docs/policies").glob("*.json") if path.name not in page] == []
    told = re.findall(
        r"^#?((?:AWS|DDA|MLFLOW|PREFECT_API)_[A-Z_]+)=", (ROOT / "services.env").read_text(), re.MULTILINE
    )
    quiet = (ROOT / "src/dda/quiet.env").read_text()
    assert [name for name in told if name not in page and name not in quiet] == []
