"""Pairs of a set from anywhere: what its table or shards say that `align` would not is refused before it is read."""

import hashlib
import io
import tarfile

import pandas as pd
import pytest

from dda.core.errors import SetupError
from dda.io import pairs
from tests import sets


@pytest.fixture
def folder(tmp_path, tiles):
    return sets.write_set(tmp_path / "tiny", tiles, side_px=32)


def refusal(folder, split="train"):
    with pytest.raises(SetupError) as refused:
        pairs.load(folder, split)
    return str(refused.value)


def rewrite(folder, column, value):
    """Another value for the first pair of train."""
    table = pd.read_parquet(folder / "pairs.parquet")
    table.loc[table.index[table["split"] == "train"][0], column] = value
    table.to_parquet(folder / "pairs.parquet")


def test_every_image_of_a_split_is_read_as_it_was_stored(folder):
    found = pairs.load(folder, "train")
    assert len(found.rows) == 4
    for row in found.rows:
        for side in pairs.SIDES:
            assert hashlib.sha256(found.content(row, side)).hexdigest() == row[f"{side}_sha256"]
            assert len(found.content(row, side)) == row[f"{side}_size"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside-00000.tar",
        "/etc/passwd",
        "train-00000.tar/../x",
        "a/train-00000.tar",
        "train-00000.tar\n",
        "",
        "x.tar",
    ],
)
def test_a_shard_outside_the_folder_or_of_another_name_is_refused(folder, name):
    rewrite(folder, "shard", name)
    assert "which is no name such as train-00000.tar" in refusal(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("real_offset", 0),
        ("real_offset", -512),
        ("fake_offset", 2**62),
        ("real_size", 2**62),
        ("real_size", 0),
        ("fake_size", -1),
        ("fake_size", None),
        ("fake_name", "another.png"),
        ("real_name", None),
    ],
)
def test_a_place_that_is_not_that_of_the_member_is_refused(folder, column, value):
    rewrite(folder, column, value)
    said = refusal(folder)
    assert said.startswith("pairs.parquet says that ")
    assert said.endswith(f"and it does not: the set in {folder} is damaged, fetch or make it again")


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("an absolute path", {"name": "/tmp/evil"}),
        ("'..' in the name", {"name": "../../evil"}),
        ("a symbolic link", {"name": "a", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("a hard link", {"name": "a", "type": tarfile.LNKTYPE, "linkname": "../x"}),
        ("more than 8192", {"name": "x" * 10**6}),
    ],
)
def test_a_hostile_shard_is_refused_by_the_reader(folder, reason, changes):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo()
        for key, value in changes.items():
            setattr(member, key, value)
        tar.addfile(member)
    (folder / "train-00000.tar").write_bytes(buffer.getvalue() + (folder / "train-00000.tar").read_bytes())
    said = refusal(folder)
    assert said.startswith("the shard train-00000.tar is refused, ")
    assert reason in said


def test_a_shard_that_is_missing_or_cut_off_is_told(folder):
    shard = folder / "train-00000.tar"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    assert "more than the rest of the shard" in refusal(folder)
    shard.unlink()
    assert refusal(folder) == f"no shard {shard}: fetch or make the set again"


def test_a_split_without_pairs_is_told(folder):
    assert "no pairs of split 'nothing'" in refusal(folder, "nothing")
