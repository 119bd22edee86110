"""Small projects of git and DVC whose stages are shell commands, and a Prefect server for all tests."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import yaml

from flows import commands, services


@pytest.fixture(scope="session")
def server():
    """Prefect's own server of tests, on a database that is gone afterwards."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """The folder of a project without stages."""
    folder = tmp_path_factory.mktemp("empty")
    for command in (["git", "init", "-q", "-b", "main"], ["dvc", "init", "-q"]):
        subprocess.run(command, check=True, cwd=folder)
    return folder


@pytest.fixture
def project(empty, tmp_path, monkeypatch):
    """A function that makes the current folder a project with these stages: name -> what dvc.yaml says of it."""
    shutil.copytree(empty, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin:{os.environ['PATH']}")
    for name in ("DDA_REMOTE", "DDA_PUBLISH", "DDA_BRANCH", "DDA_ENCRYPTION", "DDA_KMS_KEY", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def make(**stages):
        (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
        return tmp_path

    return make


@pytest.fixture
def quick(monkeypatch):
    """Retries without waiting."""
    monkeypatch.setattr("flows.stages.BACK_OFF_S", 0.0)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A function that puts a program in the place of `dda`: Python code that finds its words in `words`."""

    def put(code):
        path = tmp_path / "stand_in.py"
        path.write_text("import json, sys\nfrom pathlib import Path\nwords = sys.argv[1:]\n" + textwrap.dedent(code))
        monkeypatch.setattr(services, "DDA", (sys.executable, str(path)))

    return put


def repro(*words):
    """`dvc repro` by hand."""
    subprocess.run([*commands.DVC, "repro", *words], check=True, capture_output=True)
