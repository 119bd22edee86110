"""`dda score` in a pipe: a line for each path as soon as it is there, or only the paths that pass."""

import json
import os
import subprocess
import sys
import time

import pytest
from PIL import Image

from dda import Detector
from tests import small_detector


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_detector.write(tmp_path_factory.mktemp("detector") / "small", ["onnx"])


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    place = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(small_detector.PHOTOS):
        Image.fromarray(pixels).save(place / f"{number} é.png")
    return [str(place / f"{number} é.png") for number in range(3)]


def start(folder, *arguments):
    command = [sys.executable, "-m", "dda", "score", "--model", str(folder), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, env=os.environ | {"DDA_DEVICE": "cpu"})


def run(folder, *arguments, given=""):
    process = start(folder, *arguments)
    said, told = process.communicate(given.encode(), timeout=60)
    return process.returncode, said.decode(), told.decode()


def test_each_path_is_a_line_of_json_with_the_scores_of_predict(folder, photos):
    status, said, _ = run(folder, *photos, "/gone.png")
    *rows, bad = map(json.loads, said.splitlines())
    wanted = Detector.load(folder, "cpu").predict(photos)
    assert [row["path"] for row in rows] == photos
    assert [row["score"] for row in rows] == pytest.approx([-one.logit / 0.5 for one in wanted], abs=1e-4)
    assert [row["probability_real"] for row in rows] == pytest.approx([1 - one.probability for one in wanted], abs=1e-4)
    assert [row["error"] for row in rows] == [None] * 3
    error = "cannot be read: No such file or directory"
    assert bad == {"path": "/gone.png", "score": None, "logit": None, "probability_real": None, "error": error}
    assert status == 1


def test_a_filter_prints_the_paths_that_pass_and_nothing_else(folder, photos):
    ranked = sorted(photos, key=lambda path: Detector.load(folder, "cpu").predict(path)[0].logit)
    middle = -Detector.load(folder, "cpu").predict(ranked[1])[0].logit / 0.5
    lines = "\n".join([*photos, "/gone.png"])  # no newline at its end
    status, said, told = run(folder, "--min-score", str(middle - 1e-3), given=lines)
    assert set(said.splitlines()) == set(ranked[:2])
    assert "gone.png" in told
    assert status == 1


def test_a_line_is_answered_while_the_next_one_is_not_there_yet(folder, photos):
    process = start(folder)
    try:
        for path in photos:
            process.stdin.write(f"{path}\r\n\n".encode())
            process.stdin.flush()
            began = time.monotonic()
            assert json.loads(process.stdout.readline())["path"] == path
            assert time.monotonic() - began < 30
        process.stdin.close()
        assert process.wait(30) == 0
    finally:
        process.kill()
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def test_whoever_has_read_enough_may_go(folder, photos):
    process = start(folder)
    process.stdin.write(f"{photos[0]}\n".encode())
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write((photos[0] + "\n").encode() * 3)
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_nothing_on_standard_input_is_no_answer_and_no_error(folder):
    assert run(folder) == (0, "", "")
