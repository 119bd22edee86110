"""Every byte of a set is checked without a network, and each thing that is wrong is one sentence."""

import subprocess
import sys

import pandas as pd
import pytest

from dda.app import verify
from dda.core.errors import AuditError, SetupError
from dda.io import manifests, uploads
from tests import sets


@pytest.fixture
def folder(tmp_path, tiles):
    """A set with a manifest, as it is after a fetch."""
    folder = sets.write_set(tmp_path / "tiny", tiles, side_px=32)
    files = [uploads.examine(path).file for path in folder.iterdir()]
    (folder / "manifest.json").write_bytes(manifests.content(manifests.manifest("tiny", files)))
    return folder


def problems(folder):
    with pytest.raises(AuditError) as found:
        verify.run(folder)
    first, *lines = str(found.value).splitlines()
    assert first == f"{folder} is not whole:"
    return [line.strip() for line in lines]


def change(path, offset=2000):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(bytes(content))


def test_a_whole_set_is_told_with_its_version(folder, capsys):
    verify.run(folder)
    version = manifests.of_folder(folder).version
    assert (
        capsys.readouterr().out == f"{folder}: version {version} of tiny is whole: 4 files, both images of 12 pairs\n"
    )


def test_a_set_without_a_manifest_is_checked_against_its_table(folder, capsys):
    (folder / "manifest.json").unlink()
    verify.run(folder)
    assert (
        "no manifest.json, so nothing says which files were published; its shards are whole" in capsys.readouterr().out
    )


def test_everything_that_is_wrong_is_named(folder):
    change(folder / "val-00000.tar")
    (folder / "test-00000.tar").unlink()
    (folder / "extra.txt").touch()
    found = problems(folder)
    assert [line.split(": its sha256 is ")[0] for line in found[:4]] == [
        "test-00000.tar is missing",
        "val-00000.tar is damaged",
        "'extra.txt' does not belong to the set",
        f"no shard {folder / 'test-00000.tar'}: fetch or make the set again",
    ]
    assert len(found) == 5
    assert found[4].endswith(".png in val-00000.tar is damaged: its sha256 is not that of pairs.parquet")


@pytest.mark.parametrize("offset", [0, 300, 2000, -1])
def test_no_byte_of_a_shard_can_change_unseen(folder, offset):
    change(folder / "train-00000.tar", offset)
    assert any(line.startswith("train-00000.tar is damaged: its sha256 is ") for line in problems(folder))


def test_a_set_whose_shard_is_longer_than_its_table_says_is_not_whole(folder, tiles):
    (folder / "manifest.json").unlink()
    table = pd.read_parquet(folder / "pairs.parquet")
    table.drop(table.index[table["split"] == "val"][:1]).to_parquet(folder / "pairs.parquet")
    found = problems(folder)
    assert len(found) == 3
    assert all(line.endswith("in val-00000.tar belongs to no pair of pairs.parquet") for line in found)


def test_a_table_that_is_none_is_told(folder):
    (folder / "pairs.parquet").write_bytes(b"no table")
    assert problems(folder)[-1].startswith("pairs.parquet cannot be read: ")
    pd.DataFrame({"image_id": ["a"]}).to_parquet(folder / "pairs.parquet")
    assert problems(folder)[-1] == "pairs.parquet has no column 'split': it is no table of pairs"


def test_a_manifest_that_was_changed_is_refused(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"size": ', '"size": 1', 1))
    with pytest.raises(SetupError, match="its version is not the digest of the files that it names"):
        verify.run(folder)


def test_a_folder_that_holds_no_set_is_told(tmp_path):
    with pytest.raises(SetupError, match=r"holds no aligned set: there is no pairs\.parquet in it"):
        verify.run(tmp_path)
    with pytest.raises(SetupError, match="no folder "):
        verify.run(tmp_path / "gone")


def test_the_command_needs_no_parameters_and_ends_with_one(folder, tmp_path):
    command = [sys.executable, "-c", "from dda import cli; cli.main()", "verify", str(folder)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    change(folder / "val-00000.tar")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dda: {folder} is not whole:\n")
