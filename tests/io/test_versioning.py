"""What DVC and git say of the project, read without asking either to change anything."""

import subprocess
from pathlib import Path

import pytest
import yaml

from dda.io import versioning

MD5 = "0123456789abcdef0123456789abcdef.dir"


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*words):
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def test_a_folder_has_the_digest_under_which_dvc_keeps_it(inside):
    outs = [{"path": "artifacts/other", "md5": "1" * 32}, {"path": "artifacts/aligned/tiny", "md5": MD5}]
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"align@tiny": {"cmd": "x", "outs": outs}}}))
    assert versioning.recorded_digest(Path("artifacts/aligned/tiny")) == MD5
    assert versioning.recorded_digest(Path("artifacts/aligned")) is None


@pytest.mark.parametrize("content", [None, "", "schema: '2.0'\n", "stages: {align: {cmd: x}}\n"])
def test_a_folder_that_dvc_does_not_keep_has_none(inside, content):
    if content is not None:
        Path("dvc.lock").write_text(content)
    assert versioning.recorded_digest(Path("artifacts/aligned/tiny")) is None


def test_the_commit_is_told_and_whether_files_differ_from_it(inside):
    assert versioning.commit() is None
    git("init", "-q")
    Path("file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    commit = versioning.commit()
    assert len(commit) == 40
    Path("other").write_text("not tracked")
    assert versioning.commit() == commit
    Path("file").write_text("two")
    assert versioning.commit() == f"{commit}-dirty"
