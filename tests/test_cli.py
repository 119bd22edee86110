"""The command answers at once, in sentences, with an exit status that scripts can read."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dda import cli
from dda.core.errors import AuditError, SetupError

COMMAND = Path(sys.executable).with_name("dda")
DEFAULT = Path(__file__).parents[1] / "params.yaml"
HEAVY = {
    *("torch", "torchvision", "timm", "diffusers", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "skimage"),
    *("matplotlib", "PIL", "mlflow", "prefect", "great_expectations", "boto3", "dvc", "fastapi", "jinja2"),
}
VERBS = typer.main.get_command(cli.app).commands


@pytest.fixture
def dda(tmp_path):
    """dda(*words): the installed command, run in an empty folder."""

    def run(*words, options=()):
        command = [sys.executable, *options, COMMAND, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def imported(done):
    """Names of all modules that a run under `-X importtime` has imported."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def spoilt(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(DEFAULT.read_text("utf-8").replace("group_pattern:", "group_patern:"), "utf-8")
    return path


@pytest.mark.parametrize("words", [("--help",), ("detect", "--help")])
def test_help_imports_nothing_heavy(words, dda):
    done = dda(*words, options=["-X", "importtime"])
    names = imported(done)
    assert done.returncode == 0
    assert "typer" in names
    assert {name.partition(".")[0] for name in names} & HEAVY == set()


def test_a_wrong_parameters_file_is_refused_before_anything_heavy_is_imported(dda, tmp_path):
    done = dda("train", "embedded", "--params", spoilt(tmp_path), options=["-X", "importtime"])
    names = imported(done)
    assert done.returncode == 2
    assert "dda.params" in names
    assert {name.partition(".")[0] for name in names} & HEAVY == set()


def test_a_wrong_parameters_file_is_told_in_sentences_and_without_a_traceback(dda, tmp_path):
    done = dda("index", "--params", spoilt(tmp_path))
    first, *mistakes = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert first == f"dda: {tmp_path / 'bad.yaml'} has 2 mistake(s):"
    assert "  index.group_patern: unknown key. Did you mean 'group_pattern'?" in done.stderr
    assert all(line.startswith("  index.group_pat") for line in mistakes)


def test_a_command_outside_of_the_project_says_where_to_go(dda):
    done = dda("report")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dda: no params.yaml: run dda in the project's root, or name a file by --params\n"


def test_a_folder_without_photos_is_told_in_one_sentence(dda):
    done = dda("index", "--params", DEFAULT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dda: no photo folder at data/photos: run `dda get embedded`")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_verb_is_answered_with_the_nearest(dda):
    done = dda("trian")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'trian'" in done.stderr
    assert "Did you mean 'train'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["reconstruct", "align", "audit", "train", "evaluate", "get", "detect"])
def test_a_verb_without_its_item_says_what_is_missing(verb):
    done = CliRunner().invoke(cli.app, [verb])
    assert done.exit_code == 2
    assert "Missing argument" in done.output


def test_no_verb_shows_all_verbs():
    done = CliRunner().invoke(cli.app, [])
    assert [verb for verb in VERBS if verb not in done.output] == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself_and_each_of_its_words(verb):
    done = CliRunner().invoke(cli.app, [verb, "--help"])
    assert done.exit_code == 0
    assert VERBS[verb].help.split()[0] in done.output
    assert [word.name for word in VERBS[verb].params if not word.help] == []


@pytest.mark.parametrize(("error", "status"), [(SetupError("no such folder"), 2), (AuditError("not fit"), 1)])
def test_an_error_of_ours_is_a_sentence_and_an_exit_status(error, status, monkeypatch, capsys):
    def fail():
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == status
    assert capsys.readouterr() == ("", f"dda: {error}\n")


def test_an_error_that_nobody_foresaw_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(cli, "app", lambda: {}["unforeseen"])
    with pytest.raises(KeyError, match="unforeseen"):
        cli.main()
