"""A shard of others is walked without trust: what none needs is refused in a sentence that names shard and member."""

import io
import tarfile

import pytest

from dda.core.errors import SetupError
from dda.io import shards, tars


def member(name="a.real.jpg", content=b"x" * 600, **changes):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def tar_of(*members, form=tarfile.PAX_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def written(tmp_path, content):
    path = tmp_path / "train-00000.tar"
    path.write_bytes(content)
    return path


def refusal(tmp_path, content):
    with pytest.raises(SetupError) as refused:
        list(tars.members(written(tmp_path, content)))
    assert str(refused.value).startswith("the shard train-00000.tar is refused, ")
    return str(refused.value).removeprefix("the shard train-00000.tar is refused, ")


def with_header(field, value, content=None):
    """A tar whose first header says something else, with a right checksum."""
    content = bytearray(content or tar_of(member(), member("b.json")))
    content[field : field + len(value)] = value
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def test_members_lie_where_the_writer_says(tmp_path):
    content = [("a.real.jpg", b"1"), ("ä" * 90 + ".json", b""), ("long-" * 40 + ".png", b"x" * 1024)]
    places = shards.write_shard(tmp_path / "s.tar", content)
    assert tars.places(tmp_path / "s.tar") == places


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_form_of_plain_tar_is_read_as_tarfile_reads_it(tmp_path, form):
    long = "folder-" * 10 + "/" + "name-" * 15 + ".jpg"
    path = written(tmp_path, tar_of(member("a.jpg"), member(long), member("empty", b""), form=form))
    with tarfile.open(path) as tar:
        expected = [(one.name, one.offset_data, one.size) for one in tar]
    assert [tuple(one) for one in tars.members(path)] == expected


def test_an_empty_tar_has_no_members(tmp_path):
    assert list(tars.members(written(tmp_path, tar_of()))) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "at '/etc/passwd': an absolute path"),
        ("../outside.jpg", "at '../outside.jpg': an empty part, '.' or '..' in the name"),
        ("a/../../b.jpg", "at 'a/../../b.jpg': an empty part, '.' or '..' in the name"),
        ("a\nb.jpg", "at 'a\\nb.jpg': a control character in the name"),
        ("C:x.jpg", "at 'C:x.jpg': a drive in the name"),
        ("x" * 250, "a name of more than 240 bytes, or 1024 with its folders"),
    ],
)
def test_names_that_are_not_plainly_safe_are_refused(tmp_path, name, reason):
    assert refusal(tmp_path, tar_of(member("ok.jpg"), member(name))).endswith(reason)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path, kind, word):
    hostile = member("evil", b"", type=kind, linkname="/etc/passwd")
    assert refusal(tmp_path, tar_of(member("ok.jpg"), hostile)) == f"after 'ok.jpg': {word} named 'evil'"


def test_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path, tar_of(member("a", b"", type=tarfile.DIRTYPE))) == "at its start: a folder named 'a/'"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_gigantic_header_is_refused_before_it_is_read(tmp_path, form):
    said = refusal(tmp_path, tar_of(member("ok.jpg"), member("x" * 10**6), form=form))
    assert said.startswith("after 'ok.jpg': a header of 10000")
    assert said.endswith(" bytes, more than 8192")


def test_a_header_that_claims_gigabytes_is_refused(tmp_path):
    huge = with_header(124, b"77777777777\0")
    assert refusal(tmp_path, huge).startswith("at its start: a member claims 8589934591 bytes, more than the rest")


@pytest.mark.parametrize("key", ["size", "GNU.sparse.major", "linkpath", "hdrcharset"])
def test_an_extended_header_that_says_more_than_a_name_is_refused(tmp_path, key):
    sly = member("a.jpg", pax_headers={key: "1"})
    assert refusal(tmp_path, tar_of(sly)) == f"at its start: a header that says '{key}', which no shard needs"


def test_a_header_for_all_members_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "x"}):
        pass
    assert "a header for all members" in refusal(tmp_path, buffer.getvalue())


def test_the_same_name_twice_is_refused(tmp_path):
    assert refusal(tmp_path, tar_of(member(), member())) == "at 'a.real.jpg': this name is in it twice"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the shard ends without the two empty blocks that end a tar"),
        (b"\x1f\x8b" + bytes(1022), "no header of a tar"),
        (b"PK\x03\x04" * 256, "no header of a tar"),
        (tar_of(member())[:1000], "a member claims 600 bytes, more than the rest of the shard"),
        (tar_of(member())[:1536], "the shard ends without the two empty blocks that end a tar"),
        (tar_of(member())[:2048], "the shard ends without the two empty blocks that end a tar"),
        (tar_of(member()) + b"more", "something lies behind the end of the tar"),
        (tar_of(member()) + tar_of(member("b")), "something lies behind the end of the tar"),
        (with_header(124, b"-0000000001\0"), "a header with '-0000000001\\x00' in place of a number"),
        (with_header(124, b"\x80" + bytes(11)), "in place of a number"),
        (with_header(0, b"\xff\xfe"), "a name that is not UTF-8"),
        (tar_of(member()).replace(b"a.real.jpg", b"b.real.jpg"), "a damaged header: its checksum is wrong"),
    ],
)
def test_a_damaged_tar_is_refused(tmp_path, content, reason):
    assert reason in refusal(tmp_path, content)


def test_extended_headers_that_cannot_be_read_are_refused(tmp_path):
    for content in (b"11 path=abc", b"9999 path=a\n", b"x path=a\n", b"0 path=a\n", b"10 pathabc\n"):
        hostile = tar_of(member("././@PaxHeader", content, type=tarfile.XHDTYPE), member())
        assert "an extended header that cannot be read" in refusal(tmp_path, hostile)


def test_long_names_in_a_row_or_without_a_member_are_refused(tmp_path):
    name = member("././@LongLink", b"abc\0", type=tarfile.GNUTYPE_LONGNAME)
    assert "two long names for one member" in refusal(tmp_path, tar_of(name, name, member()))
    assert "a long name, but no member" in refusal(tmp_path, tar_of(name))


def test_a_shard_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SetupError, match=r"no shard .*gone\.tar: fetch or make the set again"):
        tars.places(tmp_path / "gone.tar")
