"""Files that appear whole or not at all, also where the writer is really killed."""

import json
import re
import signal
import subprocess
import sys

import pytest

from dda.core.errors import SetupError
from dda.io import atomic, shards, tables

HALF_A_FILE = """
import sys
from pathlib import Path
from dda.io.atomic import whole

with whole(Path(sys.argv[1])) as temporary, temporary.open("wb") as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
"""


def kill_in_the_middle(path):
    command = [sys.executable, "-c", HALF_A_FILE, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL


def interrupted(path):
    with atomic.whole(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_killed_writer_leaves_nothing_under_the_final_name(tmp_path):
    kill_in_the_middle(tmp_path / "table.parquet")
    assert not (tmp_path / "table.parquet").exists()
    (leftover,) = tmp_path.iterdir()
    assert leftover.read_bytes() == b"half"


def test_a_killed_writer_leaves_the_file_that_was_there(tmp_path):
    (tmp_path / "table.parquet").write_text("before")
    kill_in_the_middle(tmp_path / "table.parquet")
    assert (tmp_path / "table.parquet").read_text() == "before"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    kill_in_the_middle(tmp_path / "table.parquet")
    kept = {"table.parquet", ".hidden", "photo.part"}
    for name in kept:
        (tmp_path / name).touch()
    atomic.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_leftovers_of_a_folder_that_is_not_there_yet_are_none(tmp_path):
    atomic.remove_leftovers(tmp_path / "later")
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "model.bin"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("model.bin", "before")]


def test_a_block_that_ends_well_replaces_the_file_and_makes_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "model.bin"
    for text in ("first", "second"):
        with atomic.whole(path) as temporary:
            temporary.write_text(text)
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("model.bin", "second")]


def test_nobody_sees_the_file_before_the_block_ends(tmp_path):
    path = tmp_path / "model.bin"
    with atomic.whole(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.exists()


def test_a_written_file_can_be_read_by_others(tmp_path):
    atomic.write_text(tmp_path / "a.txt", "text")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_text_is_written_as_utf_8(tmp_path):
    atomic.write_text(tmp_path / "a.txt", "Größe 写真")
    assert (tmp_path / "a.txt").read_bytes().decode("utf-8") == "Größe 写真"


def test_json_is_readable_by_people_and_the_same_for_the_same_value(tmp_path):
    value = {"b": [1, None, "é"], "a": {"x": 0.5}}
    for name in ("first.json", "second.json"):
        atomic.write_json(tmp_path / name, value)
    text = (tmp_path / "first.json").read_text("utf-8")
    assert json.loads(text) == value
    assert (tmp_path / "second.json").read_text("utf-8") == text
    assert '  "b": [\n' in text
    assert "é" in text


def killed_in_a_tidy_block(path):
    with atomic.tidy(path.parent):
        assert list(path.parent.iterdir()) == []
        kill_in_the_middle(path)
        raise KeyboardInterrupt


def test_a_tidy_block_has_no_temporary_file_before_and_after_also_where_it_fails(tmp_path):
    kill_in_the_middle(tmp_path / "table.parquet")
    with pytest.raises(KeyboardInterrupt):
        killed_in_a_tidy_block(tmp_path / "table.parquet")
    assert list(tmp_path.iterdir()) == []


def test_json_that_was_written_is_read_again(tmp_path):
    atomic.write_json(tmp_path / "a.json", {"é": [1, None]})
    assert atomic.read_json(tmp_path / "a.json") == {"é": [1, None]}


@pytest.mark.parametrize("content", [None, b"", b'{"a": ', b"[1]", b"null", b"\xff\xfe"])
def test_json_that_is_missing_or_damaged_is_empty(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    assert atomic.read_json(tmp_path / "a.json") == {}


# --- a full disk


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a really small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def write_table(path):
    tables.write(path, [{"name": f"{number:099d}"} for number in range(3000)], {"name": "str"})


def write_shard(path):
    shards.write_shard(path, ((f"{number}.png", bytes(9000)) for number in range(20)))


WRITERS = [write_table, write_shard, lambda path: atomic.write_text(path, "text" * 30_000)]


@pytest.mark.parametrize("write", WRITERS, ids=["table", "shard", "text"])
def test_a_full_disk_is_told_in_a_sentence_and_leaves_the_file_that_was_there(small_disk, write):
    path = small_disk / "below" / "file"
    atomic.write_text(path, "before")
    (small_disk / "filler").write_bytes(bytes(40_000))
    told = re.escape(f"cannot write {path}: No space left on device, 0.0 MB are free on its disk: make room and run")
    with pytest.raises(SetupError, match=told):
        write(path)
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [("file", "before")]


def test_other_errors_of_writing_stay_what_they_are(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        atomic.write_text(tmp_path / "file" / "below.txt", "text")
