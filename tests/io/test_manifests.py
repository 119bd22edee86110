"""A manifest of others is believed in nothing: names, sizes, digests and the version are all checked."""

import json

import pytest

from dda.core.errors import SetupError
from dda.io import manifests
from dda.io.manifests import File, Manifest

FILES = [File(path=name, size=3, sha256="0" * 64) for name in ("train-00000.tar", "pairs.parquet")]


def document(**changes):
    return json.loads(manifests.content(manifests.manifest("tiny", FILES))) | changes


def refusal(document):
    with pytest.raises(SetupError) as refused:
        manifests.parse(Manifest, json.dumps(document).encode(), "manifest.json")
    assert str(refused.value).startswith("manifest.json is refused: ")
    return str(refused.value)


def test_a_version_is_the_digest_of_names_sizes_and_digests_in_any_order():
    version = manifests.version_of(FILES)
    assert version == manifests.version_of(FILES[::-1])
    for change in ({"path": "x.tar"}, {"size": 4}, {"sha256": "1" * 64}):
        assert manifests.version_of([FILES[0].model_copy(update=change), FILES[1]]) != version


def test_a_manifest_is_read_as_it_was_written():
    written = manifests.manifest("tiny", FILES)
    assert manifests.parse(Manifest, manifests.content(written), "here") == written


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b.tar",
        "a\\b",
        "",
        ".",
        "..",
        ".hidden",
        "manifest.json",
        "latest.json",
        "a\nb",
        "x" * 241,
    ],
)
def test_a_file_whose_name_is_not_plain_is_refused(name):
    hostile = {"path": name, "size": 3, "sha256": "0" * 64}
    assert "is no name for a file of a set" in refusal(document(files=[hostile]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size": -1}, "greater than or equal to 0"),
        ({"size": 10**15}, "less than or equal to"),
        ({"size": 3.0}, "valid integer"),
        ({"size": "3"}, "valid integer"),
        ({"sha256": "0" * 63}, "match pattern"),
        ({"sha256": "A" * 64}, "match pattern"),
        ({"sha256": "0" * 64 + "\n"}, "match pattern"),
        ({"mode": 511}, "not permitted"),
    ],
)
def test_an_entry_that_is_not_as_it_must_be_is_refused(change, reason):
    entry = {"path": "pairs.parquet", "size": 3, "sha256": "0" * 64} | change
    assert reason in refusal(document(files=[entry]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "0" * 64}, "its version is not the digest of the files that it names"),
        ({"version": "latest"}, "match pattern"),
        ({"format": 2}, "a newer dda may have made it"),
        ({"name": "../x"}, "match pattern"),
        ({"files": []}, "at least 1 item"),
        ({"extra": 1}, "not permitted"),
    ],
)
def test_a_manifest_that_is_not_as_it_must_be_is_refused(change, reason):
    assert reason in refusal(document(**change))


def test_names_that_collide_and_a_set_without_its_table_are_refused():
    twice = [file.model_dump() for file in (*FILES, FILES[0].model_copy(update={"path": "TRAIN-00000.tar"}))]
    assert "the same name as" in refusal(document(files=twice))
    assert "it names no pairs.parquet" in refusal(document(files=[FILES[0].model_dump()]))


def test_what_is_no_json_is_refused():
    with pytest.raises(SetupError, match="is refused: Invalid JSON"):
        manifests.parse(Manifest, b"<html>", "manifest.json")
