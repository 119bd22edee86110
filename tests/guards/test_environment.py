"""Libraries stay quiet however a command is started: by make, by the tests, or by hand."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dda import quiet

ROOT = Path(__file__).parents[2]
LINES = [line for line in quiet.FILE.read_text("utf-8").splitlines() if line and not line.startswith("#")]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_quiet_environment_reaches_every_recipe_of_the_makefile():
    command = ["make", "--silent", "--eval=shown: ; @env", "shown"]
    bare = {"PATH": os.environ["PATH"]}
    shown = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=True).stdout
    assert set(LINES) - set(shown.splitlines()) == set()


def test_the_quiet_environment_is_set_where_nothing_is_said(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    quiet.apply()
    assert {f"{name}={value}" for name, value in os.environ.items()} == set(LINES)


def test_what_the_environment_says_is_kept(monkeypatch):
    name = LINES[0].partition("=")[0]
    monkeypatch.setattr(os, "environ", {name: "mine"})
    quiet.apply()
    assert os.environ[name] == "mine"
