"""`dda detect`: what people and programs are told of files, folders, patterns and lists."""

import csv
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from dda import Detector
from dda.app import detect
from dda.app.detect import Question, Wanted
from dda.core.errors import SetupError
from dda.core.verdicts import COLUMNS
from dda.embedded.photos import PHOTOGRAPHS, originals
from tests import small_detector

SHARED = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture(scope="module")
def model(tmp_path_factory, one_thread):
    return str(small_detector.write(tmp_path_factory.mktemp("model") / "small", ["onnx"]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three photos, one of them deeper, a file that is no photo, and what is no image at all."""
    monkeypatch.chdir(tmp_path)
    for name, photograph in zip(("a.png", "b.png", "in/c.png"), PHOTOGRAPHS, strict=False):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        originals(photograph)[0].crop((0, 0, 300, 200)).save(path)
    (tmp_path / "photos/bad.jpg").write_bytes(b"no image")
    (tmp_path / "photos/notes.txt").write_text("none")
    return tmp_path / "photos"


def asked(model, *words, wanted=None, null=False, **question):
    return detect.run([str(word) for word in words], Question(model, **question), wanted or Wanted(), null)


def document(capsys):
    return json.loads(capsys.readouterr().out)


def command(*words):
    return subprocess.run(["dda", "detect", *words], capture_output=True, text=True, check=False)


def test_the_document_says_what_python_says(model, folder, capsys):
    assert asked(model, folder, wanted=Wanted(json=True), views="five") == detect.UNREADABLE
    told = document(capsys)
    paths = [str(folder / name) for name in ("a.png", "b.png", "bad.jpg", "in/c.png")]
    wanted = [one.as_row() for one in Detector.load(model, "cpu").predict(paths, "five")]
    assert [row["path"] for row in told["images"]] == paths
    for row, known in zip(told["images"], wanted, strict=True):
        assert list(row) == list(COLUMNS)
        for name in COLUMNS:
            assert row[name] == (pytest.approx(known[name], abs=1e-6) if name == "logit" else known[name]) or (
                name == "probability" and row[name] == pytest.approx(known[name], abs=1e-6)
            )
    assert told["counts"]["images"] == 4 == sum(n for name, n in told["counts"].items() if name != "images")
    assert (told["model"]["name"], told["model"]["source"], told["model"]["calibrated"]) == ("small", model, True)
    assert (told["views"], told["threshold"], told["interrupted"]) == ("five", 0.0, False)


def test_lines_end_with_counts_that_add_up_and_with_reasons(model, folder, capsys):
    asked(model, folder, folder / "gone.jpg")
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"(real|uncertain|generated) +calibrated probability [01]\.\d{3}  logit [+-]\d", lines[0])
    assert lines[3:6] == [
        "could not be read:",
        f"  {folder}/bad.jpg: no image in a known format",
        f"  {folder}/gone.jpg: cannot be read: No such file or directory",
    ]
    total, *parts = map(int, re.findall(r"\d+", lines[6]))
    assert (total, sum(parts), parts[-1]) == (5, 5, 2)
    assert lines[7] == "of 3 images less than a quarter was looked at: --views tiles looks at all of it"


def test_files_hold_the_same_rows(model, folder, tmp_path, capsys):
    files = Wanted(csv=str(tmp_path / "out/rows.csv"), parquet=tmp_path / "rows.parquet", explain=True)
    asked(model, folder, wanted=files)
    with (tmp_path / "out/rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(table.columns) == list(rows[0]) == [*COLUMNS, "facts"]
    assert list(table["path"]) == [row["path"] for row in rows]
    assert [float(row["logit"]) for row in rows if row["logit"]] == list(table["logit"].dropna())
    assert list(table["error"].dropna()) == ["no image in a known format"]
    assert asked(model, folder / "a.png", wanted=Wanted(csv="-", quiet=True)) == detect.JUDGED
    assert len(list(csv.DictReader(capsys.readouterr().out.splitlines()[-2:]))) == 1


def test_heatmaps_lie_beside_their_names(model, folder, tmp_path, capsys):
    (folder / "in/a.png").write_bytes((folder / "b.png").read_bytes())
    wanted = Wanted(json=True, heatmap=tmp_path / "maps", explain=True)
    asked(model, folder, wanted=wanted, views="tiles")
    rows = document(capsys)["images"]
    assert [row["heatmap"] and Path(row["heatmap"]).name for row in rows] == [
        *("a.png.png", "b.png.png", None, "a.png-2.png", "c.png.png")
    ]
    assert all((row["heatmap"] is None) or Path(row["heatmap"]).read_bytes()[:4] == b"\x89PNG" for row in rows)
    assert [len(row["tiles"]) for row in rows] == [20, 20, 0, 20, 20]
    assert all(isinstance(row["facts"]["sentences"], list) for row in rows)


@pytest.mark.parametrize(
    ("wishes", "question", "reason"),
    [
        (Wanted(json=True, csv="-"), {}, "both want standard output"),
        (Wanted(heatmap=Path("maps")), {"views": "five"}, "a heatmap shows all of an image"),
        (Wanted(csv="photos"), {}, "cannot write photos: Is a directory"),
        (Wanted(parquet=Path("photos/a.png/rows")), {}, "cannot write photos/a.png/rows: "),
        (Wanted(), {"max_fpr": 0.2}, "no threshold for a false-positive rate of 0.2"),
        (Wanted(), {"device": "cub"}, "no device 'cub'"),
        (Wanted(), {"model": "nowhere"}, "no detector in nowhere"),
    ],
)
def test_a_wrong_wish_is_refused_in_a_sentence(wishes, question, reason, model, folder):
    with pytest.raises(SetupError, match=re.escape(reason)):
        asked(question.pop("model", model), folder, wanted=wishes, **question)


def test_nothing_to_judge_is_a_wrong_use(model, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(SetupError, match="there is nothing to judge"):
        asked(model, tmp_path)
    assert capsys.readouterr().err == f"dda: no image in {tmp_path}\n"


@pytest.mark.parametrize("null", [False, True])
def test_a_list_on_standard_input_names_images_and_folders(null, model, folder, monkeypatch, capsys):
    end = b"\0" if null else b"\n"
    content = end.join([b"photos/a.png", b"photos/in", b"", b"photos/a.png", b"gone*.jpg", b""])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(content)))
    asked(model, "-", wanted=Wanted(json=True), null=null)
    paths = [row["path"] for row in document(capsys)["images"]]
    assert paths == ["photos/a.png", "photos/in/c.png", "gone*.jpg"]


def test_exit_statuses_are_what_scripts_look_for():
    def status(counts, fail_on=None):
        answers = detect.Answers({})
        answers.below.counts.update(counts)
        answers.below.unreadable += [("a", "b")] * counts.get("unreadable", 0)
        return detect.status(answers, fail_on)

    assert status({"real": 2, "generated": 1}) == 0
    assert status({"real": 2, "unreadable": 1}) == 1
    assert status({"uncertain": 1}, "generated") == 0
    assert status({"uncertain": 1, "unreadable": 1}, "uncertain") == 3
    assert status({"generated": 1}, "uncertain") == status({"generated": 1}, "generated") == 3


def test_the_command_prints_one_document_and_nothing_else(model, folder):
    done = command(folder, "--json", "--model", model, "--max-fpr", "0.01", "--fail-on", "uncertain")
    assert json.loads(done.stdout)["threshold"] == 0.1
    assert done.returncode in (1, 3)
    assert "less than a quarter" in done.stderr


def test_patterns_that_the_shell_left_alone_are_followed(model, folder, capsys):
    (folder / "out").symlink_to(folder / "in")
    words = ("photos/?.png", "photos/**/c.png", "photos/x*")
    assert asked(model, *words, wanted=Wanted(quiet=True)) == detect.UNREADABLE
    said = capsys.readouterr()
    assert re.fullmatch(r"4 images = .* \+ 1 unreadable\n", said.out)
    assert said.err == ""


def test_ctrl_c_keeps_what_was_found(model, folder, tmp_path):
    for number in range(4000):
        (folder / f"copy{number}.png").symlink_to(folder / "a.png")
    words = ["dda", "detect", folder, "--model", model, "--csv", tmp_path / "rows.csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted after" in said
    n_rows = int(re.search(r"(\d+) images =", out)[1])
    assert 0 < n_rows < 4000
    assert len(list(csv.DictReader((tmp_path / "rows.csv").open()))) == n_rows


def test_a_terminal_sees_a_table_that_fits(model, folder):
    (folder / "\x1b[31mred.png").write_bytes((folder / "a.png").read_bytes())
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
    environment = {**os.environ, "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}
    words = ["dda", "detect", folder, "--model", model]
    with subprocess.Popen(words, stdout=side, stderr=subprocess.PIPE, env=environment) as process:
        os.close(side)
        out = b""
        while process.poll() is None or not out:
            try:
                out += os.read(main, 65536)
            except OSError:  # so Linux says that the other side is closed
                break
            time.sleep(0.01)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.decode().replace("\r", "")).splitlines()
    assert lines[0].split() == ["image", "verdict", "probability", "logit"]
    assert len(lines[0]) <= 60
    rows = lines[1:5]
    assert all(len(line) <= 60 and re.search(r"[01]\.\d{3} [━─]{10}  +[+-]\d+\.\d\d$", line) for line in rows)
    assert all(line.startswith("…") for line in rows)
    assert "\x1b" not in "".join(rows)
    assert any("\\x1b[31mred.png" in row for row in rows)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_real_images_are_each_answered_as_in_python(model, capsys):
    every = sorted(str(path) for path in SHARED.rglob("*") if path.suffix.lower() in (".jpg", ".png", ".jpeg", ".webp"))
    chosen = every[::23]
    assert asked(model, *chosen, wanted=Wanted(json=True)) == detect.JUDGED
    told = document(capsys)["images"]
    known = Detector.load(model, "cpu").predict(chosen)
    assert [row["path"] for row in told] == chosen
    assert [row["logit"] for row in told] == pytest.approx([one.logit for one in known], abs=1e-6)
