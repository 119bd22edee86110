"""What the page on detecting tells people to run is run."""

import csv
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dda import cli
from dda.embedded.photos import PHOTOGRAPHS, originals
from tests import pages, small_detector

BLOCKS = {word: (language, word, text) for language, word, text in pages.blocks("detecting.md")}


@pytest.fixture(scope="module")
def place(tmp_path_factory, one_thread):
    folder = tmp_path_factory.mktemp("place")
    small_detector.write(folder / "artifacts/detectors/embedded", ["onnx"])
    (folder / "photos").mkdir()
    for photograph in PHOTOGRAPHS[:2]:
        originals(photograph)[0].crop((0, 0, 200, 150)).save(folder / f"photos/{photograph.name}.png")
    shutil.copy(folder / f"photos/{PHOTOGRAPHS[0].name}.png", folder / "photo.png")
    return folder


def run_line(line):
    """A line of the page, in this process, since every start takes seconds; what it prints. It must end well."""
    left, _, right = line.rpartition("|")
    words, _, target = right.partition(" > ")
    given = subprocess.run(shlex.split(left), capture_output=True, check=True).stdout if left else None
    done = CliRunner().invoke(cli.app, shlex.split(words, comments=True)[1:], input=given, catch_exceptions=False)
    assert done.exit_code == 0, line
    if target:
        Path(shlex.split(target, comments=True)[0]).write_text(done.stdout)
    return done.stdout


def test_the_command_does_what_the_page_says(place, monkeypatch):
    monkeypatch.chdir(place)
    said = [run_line(line) for line in BLOCKS["command"][2].splitlines()]
    assert "3 images = " in said[1]
    assert "2 images = " in said[2]
    assert json.loads((place / "answers.json").read_text())["counts"]["images"] == 2
    assert len(pd.read_parquet(place / "rows.parquet")) == 2
    assert len(list(csv.DictReader((place / "rows.csv").open()))) == 2
    assert len(list((place / "maps").iterdir())) == 2


def test_python_does_what_the_page_says(place):
    text = BLOCKS["python"][2].replace("max_fpr=0.05", "max_fpr=0.01")  # the small detector knows only this rate
    said = pages.run(("python", "", text), place).splitlines()
    assert said[0].startswith("photo.png ")
    assert said[1].startswith("None ")
