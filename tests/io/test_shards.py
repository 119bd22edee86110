"""Shards: tar files of which any reader finds the members, and of which the table knows where each one lies."""

import hashlib
import importlib.util
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.embedded.photos import tiles
from dda.io import shards

NAMES = ["a.real.jpg", "Größe-写真.fake.png", "long-" * 40 + ".json", "ü" * 90 + ".png", "empty.json"]
CONTENTS = [*(content for (_, content), _ in zip(tiles(), range(4), strict=False)), b""]
MEMBERS = list(zip(NAMES, CONTENTS, strict=True))


def test_a_shard_is_a_tar_that_holds_its_members_in_order(tmp_path):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    with tarfile.open(tmp_path / "a.tar") as tar:
        found = [(member.name, tar.extractfile(member).read()) for member in tar]
    assert found == MEMBERS


def test_every_place_is_where_tarfile_finds_the_member(tmp_path):
    places = shards.write_shard(tmp_path / "a.tar", MEMBERS)
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert places == {member.name: (member.offset_data, member.size) for member in tar}


def test_every_member_is_read_at_its_place(tmp_path):
    places = shards.write_shard(tmp_path / "a.tar", MEMBERS)
    assert {name: shards.read_at(tmp_path / "a.tar", *places[name]) for name in NAMES} == dict(MEMBERS)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=150),
        st.binary(max_size=1500),
        max_size=6,
    )
)
def test_any_names_and_contents_are_found_again(tmp_path_factory, members):
    path = tmp_path_factory.mktemp("shards") / "a.tar"
    places = shards.write_shard(path, members.items())
    assert {name: shards.read_at(path, *place) for name, place in places.items()} == members
    with tarfile.open(path) as tar:
        assert [member.offset_data for member in tar] == [place[0] for place in places.values()]


def test_the_bytes_of_a_shard_depend_on_its_members_only(tmp_path, monkeypatch):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    shards.write_shard(tmp_path / "other" / "name.tar", iter(MEMBERS))
    assert (tmp_path / "other" / "name.tar").read_bytes() == (tmp_path / "a.tar").read_bytes()


def test_members_carry_no_owner_and_no_time(tmp_path):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    with tarfile.open(tmp_path / "a.tar") as tar:
        facts = {(member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) for member in tar}
    assert facts == {(0, 0, 0, "", "", 0o644)}


def test_other_members_give_other_bytes(tmp_path):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    shards.write_shard(tmp_path / "b.tar", MEMBERS[::-1])
    assert (tmp_path / "a.tar").read_bytes() != (tmp_path / "b.tar").read_bytes()


def test_a_shard_without_members_is_an_empty_tar(tmp_path):
    assert shards.write_shard(tmp_path / "a.tar", []) == {}
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getnames() == []


def test_a_shard_that_fails_on_its_way_leaves_nothing(tmp_path):
    def failing():
        yield MEMBERS[0]
        raise RuntimeError("the photo was taken away")

    with pytest.raises(RuntimeError, match="taken away"):
        shards.write_shard(tmp_path / "a.tar", failing())
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_shard_is_an_error_and_not_a_shorter_image(tmp_path):
    path = tmp_path / "a.tar"
    offset, size = shards.write_shard(path, MEMBERS)["a.real.jpg"]
    path.write_bytes(path.read_bytes()[: offset + size - 1])
    with pytest.raises(ValueError, match=r"a\.tar ends before byte"):
        shards.read_at(path, offset, size)


def test_a_fingerprint_depends_on_every_fact_and_on_no_order_of_keys():
    facts = ({"stride": 4, "class": "AutoencoderTiny"}, 1000, [("a", "0f")], "0.1")
    first = shards.fingerprint(*facts)
    assert first == shards.fingerprint({"class": "AutoencoderTiny", "stride": 4}, *facts[1:])
    others = [{"stride": 8, "class": "AutoencoderTiny"}, 1001, [("a", "10")], "0.2"]
    changed = {shards.fingerprint(*facts[:i], others[i], *facts[i + 1 :]) for i in range(4)}
    assert len(changed | {first}) == 5


def test_a_finished_shard_gives_its_rows_back(tmp_path):
    rows = [{"image_id": "a", "psnr": float("inf"), "error": None}, {"image_id": "é", "psnr": 31.5, "error": "damaged"}]
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    shards.finish(tmp_path / "a.tar", "f00", rows)
    assert shards.finished_rows(tmp_path / "a.tar", "f00") == rows


def test_a_shard_under_another_fingerprint_is_not_finished(tmp_path):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    shards.finish(tmp_path / "a.tar", "f00", [])
    assert shards.finished_rows(tmp_path / "a.tar", "f00") == []
    assert shards.finished_rows(tmp_path / "a.tar", "f01") is None


@pytest.mark.parametrize("missing", ["a.tar", "a.json"])
def test_a_shard_without_one_of_its_two_files_is_not_finished(tmp_path, missing):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    shards.finish(tmp_path / "a.tar", "f00", [])
    (tmp_path / missing).unlink()
    assert shards.finished_rows(tmp_path / "a.tar", "f00") is None


DAMAGED = [b"", b"{", b'{"fingerprint": "f00", "bytes"', b"[1]", b"null", b"\xff\xfe", b'{"fingerprint": "f00"}']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_shard_with_a_damaged_fingerprint_is_not_finished(tmp_path, content):
    shards.write_shard(tmp_path / "a.tar", MEMBERS)
    (tmp_path / "a.json").write_bytes(content)
    assert shards.finished_rows(tmp_path / "a.tar", "f00") is None


def test_a_shard_that_is_not_as_long_as_it_was_is_not_finished(tmp_path):
    path = tmp_path / "a.tar"
    shards.write_shard(path, MEMBERS)
    shards.finish(path, "f00", [])
    path.write_bytes(path.read_bytes()[:-512])
    assert shards.finished_rows(path, "f00") is None


# --- code

FUNCTION = """
LIMIT = 3
"A text that explains the limit."

async def wait(): "Words."

class Noun:
    \'\'\'Words.\'\'\'

    def verb(self):
        "Words."
        return "text"  # a comment
"""


def digest_of(tmp_path, source):
    """The digest of a module with that source."""
    path = tmp_path / f"module_{hashlib.sha256(source.encode()).hexdigest()}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return shards.code_digest(module)


@pytest.mark.parametrize(
    "words", [("Words", "Other words"), ("# a comment", ""), ("explains", "tells of"), ("\n\n", "\n")]
)
def test_words_and_layout_do_not_change_the_digest_of_code(tmp_path, words):
    assert FUNCTION.replace(*words) != FUNCTION
    assert digest_of(tmp_path, FUNCTION.replace(*words)) == digest_of(tmp_path, FUNCTION)


@pytest.mark.parametrize("change", [("LIMIT = 3", "LIMIT = 4"), ('return "text"', 'return "Text"'), ("verb", "adverb")])
def test_a_statement_changes_the_digest_of_code(tmp_path, change):
    assert digest_of(tmp_path, FUNCTION.replace(*change)) != digest_of(tmp_path, FUNCTION)


def test_functions_have_digests_of_their_own():
    parts = (shards, shards.write_shard, shards.read_at, (shards.write_shard, shards.read_at))
    found = {shards.code_digest(*(part if isinstance(part, tuple) else (part,))) for part in parts}
    assert len(found) == 4
