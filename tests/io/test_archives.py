"""A zip of somebody else is unpacked whole and inside its folder, or refused before anything is written."""

import stat
import struct
import warnings
import zipfile

import pytest

from dda.core.errors import SetupError
from dda.io import archives

PHOTO = bytes(range(256)) * 8


@pytest.fixture
def packed(tmp_path):
    """packed(name -> bytes, or (ZipInfo, bytes) pairs): the path of such a zip."""

    def pack(files):
        path = tmp_path / "photos.zip"
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of a name that comes twice
            for name, content in files.items() if isinstance(files, dict) else files:
                archive.writestr(name, content)
        return path

    return pack


def refusal(path, max_bytes=10**6):
    with pytest.raises(SetupError) as refused:
        archives.members(path, max_bytes)
    return str(refused.value)


def entry(name, **attributes):
    info = zipfile.ZipInfo(name)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def patched(path, old, new):
    """The file with bytes replaced wherever they stand."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def test_files_keep_their_folders_and_their_bytes(packed, tmp_path):
    path = packed({"val2017/": b"", "val2017/1.jpg": PHOTO, "val2017/deep/2.jpg": PHOTO[:7], "3.jpg": b""})
    files = archives.members(path, 10**6)
    archives.unpack(path, files, tmp_path / "out")
    found = {str(one.relative_to(tmp_path / "out")): one.read_bytes() for one in tmp_path.glob("out/**/*.jpg")}
    assert found == {"val2017/1.jpg": PHOTO, "val2017/deep/2.jpg": PHOTO[:7], "3.jpg": b""}
    assert archives.unpacked_bytes(files) == len(PHOTO) + 7


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.jpg", "'..' in the name"),
        ("val2017/../../evil.jpg", "'..' in the name"),
        ("./a.jpg", "'.' or '..'"),
        ("a//b.jpg", "an empty part"),
        ("/etc/evil.jpg", "an absolute path"),
        ("//host/evil.jpg", "an absolute path"),
        ("..\\evil.jpg", "a backslash"),
        ("C:evil.jpg", "a drive"),
        ("C:/evil.jpg", "a drive"),
        ("../", "'..' in the name"),
        ("a\x1b[2J.jpg", "a control character"),
        ("a" * 250, "more than 240 bytes"),
        ("a/" * 600 + "a", "or 1024 with its folders"),
    ],
)
def test_a_name_that_is_not_plainly_safe_refuses_the_whole_zip(name, reason, packed):
    message = refusal(packed({"good.jpg": PHOTO, name: PHOTO}))
    assert message.startswith("photos.zip is refused as a whole, nothing was unpacked: ")
    assert reason in message
    assert "\x1b" not in message


def test_a_name_with_a_zero_byte_is_refused_and_not_cut_off(packed):
    path = patched(packed({"good.jpgX../../evil": PHOTO}), b"good.jpgX", b"good.jpg\0")
    assert "a control character" in refusal(path) or "'..'" in refusal(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(kind, packed):
    special = entry("link.jpg", create_system=3, external_attr=(kind | 0o777) << 16)
    assert "'link.jpg': a link or device, no plain file" in refusal(packed([(special, b"/etc/passwd")]))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("a.jpg", "a.jpg"), "'a.jpg': twice in it"),
        (("a.jpg", "A.JPG"), "'A.JPG': the same name as 'a.jpg' on some disks"),
        (("\u00e9.jpg", "e\u0301.jpg"), "on some disks"),
        (("a", "a/b.jpg"), "'a': a file and a folder at once"),
    ],
)
def test_names_that_cannot_lie_side_by_side_are_refused(names, reason, packed):
    assert reason in refusal(packed([(name, PHOTO) for name in names]))


def test_many_bad_names_are_counted(packed):
    assert refusal(packed({f"../{number}.jpg": b"" for number in range(10)})).endswith(" and 7 more")


def test_an_encrypted_member_is_refused(packed):
    path = packed({"a.jpg": PHOTO})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert "'a.jpg': encrypted" in refusal(path)


def test_an_unusual_compression_is_refused(packed):
    message = refusal(packed([(entry("a.jpg", compress_type=zipfile.ZIP_BZIP2), PHOTO)]))
    assert "compressed by method 12, neither stored nor deflated" in message


def test_a_bomb_is_refused_by_the_size_it_claims(packed):
    path = packed([(entry("a.jpg", compress_type=zipfile.ZIP_DEFLATED), bytes(2 * 10**6))])
    assert path.stat().st_size < 10**4
    assert "would unpack to 2000000 bytes, more than 1000000" in refusal(path)


@pytest.mark.parametrize("claimed", [1000, 10**6])
def test_a_member_that_is_not_as_large_as_it_claims_is_told(claimed, packed, tmp_path):
    path = packed([(entry("a.jpg", compress_type=zipfile.ZIP_DEFLATED), bytes(2000))])
    path = patched(path, struct.pack("<L", 2000), struct.pack("<L", claimed))
    files = archives.members(path, 10**6)
    with pytest.raises(SetupError, match=r"photos.zip is damaged at 'a.jpg': "):
        archives.unpack(path, files, tmp_path / "out")
    assert (tmp_path / "out/a.jpg").stat().st_size <= min(claimed, 2000)


def test_a_wrong_crc_names_the_member(packed, tmp_path):
    path = patched(packed({"good.jpg": b"fine", "bad.jpg": PHOTO}), PHOTO, PHOTO[::-1])
    with pytest.raises(SetupError, match=r"photos.zip is damaged at 'bad.jpg': Bad CRC-32"):
        archives.unpack(path, archives.members(path, 10**6), tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"<html>please log in</html>", b"PK\3\4 and no more"])
def test_what_is_no_zip_is_told(content, tmp_path):
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    assert refusal(path).startswith("photos.zip is no zip that can be read: ")


@pytest.mark.parametrize(
    "name", ["a.jpg", "val2017/000000000139.jpg", "..a/b..jpg", "my photos/\u00e9t\u00e9.jpg", "12:30.jpg"]
)
def test_ordinary_names_are_safe(name):
    assert archives.why_unsafe(name) is None
