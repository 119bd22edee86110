"""What is meant by the words of a command line: files, folders, patterns, lists."""

import os
import sys
from io import BytesIO
from types import SimpleNamespace

import pytest

from dda.io.gathering import gather, listed


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("a.jpg", "b[1].jpg", ".hidden.jpg", "notes.txt", "in/c.jpg", "in/deep/d.png", "other/e.jpg"):
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "top/in/link").symlink_to(tmp_path / "top/other")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["top/notes.txt", "gone.jpg"], ["top/notes.txt", "gone.jpg"]),
        (["top/in"], ["top/in/link", "top/in/c.jpg", "top/in/deep/d.png"]),
        (["top/b[1].jpg"], ["top/b[1].jpg"]),
        (["top/*.jpg"], ["top/a.jpg", "top/b[1].jpg"]),
        (["top/**/*.jpg"], ["top/a.jpg", "top/b[1].jpg", "top/in/c.jpg", "top/other/e.jpg"]),
        (["top/[io]*"], ["top/in/link", "top/in/c.jpg", "top/in/deep/d.png", "top/other/e.jpg"]),
        (["top/x*"], ["top/x*"]),
        (["top/in/c.jpg", "top/in/*.jpg", "top/in/c.jpg"], ["top/in/c.jpg"]),
        (["top/in/link"], ["top/in/link/e.jpg"]),
    ],
)
def test_files_folders_and_patterns_are_told_apart(words, wanted, tree):
    assert sorted(gather(words).paths) == sorted(wanted)
    assert gather(words).empty == ()


def test_patterns_may_begin_at_the_root(tree):
    assert gather([f"{tree}/top/*/c.jpg"]).paths == (f"{tree}/top/in/c.jpg",)


def test_a_folder_without_images_is_told(tree):
    assert gather(["empty", "top/a.jpg"]) == gather(["empty", "top/a.jpg"])
    assert gather(["empty", "top/a.jpg"]).empty == ("empty",)


def test_a_list_holds_paths_as_the_system_has_them(tree, monkeypatch):
    assert listed(b"a.jpg\r\n\nb c.jpg\n\xff.jpg", null=False) == ["a.jpg", "b c.jpg", os.fsdecode(b"\xff.jpg")]
    assert listed(b"a\nb.jpg\0\0c.jpg", null=True) == ["a\nb.jpg", "c.jpg"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(b"top/*.jpg\ntop/other\n")))
    assert gather(["-"]).paths == ("top/*.jpg", "top/other/e.jpg")
