"""Tar shards of others, walked header by header without trust: what is not a plain, small-named, whole file is refused.

Nothing is unpacked. tarfile would follow what a header says (links, sparse maps, names of any length); this reads the
few kinds of header that a shard of pairs needs, and none of them is larger than `MAX_EXTENDED_BYTES`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tarfile import BLOCKSIZE
from typing import BinaryIO, NamedTuple

from dda.core.errors import SetupError
from dda.io import archives

MAX_EXTENDED_BYTES = 8192
MAGIC = (b"ustar\x0000", b"ustar  \x00")
FILE, EXTENDED, LONG_NAME = (b"0", b"\0"), b"x", b"L"
KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
    b"7": "a contiguous file",
    b"g": "a header for all members",
    b"K": "a long link",
    b"S": "a sparse file",
}
# what an extended header may say: the name, and times, which nobody reads
EXTENDED_KEYS = {b"path", b"mtime", b"atime", b"ctime"}


class Member(NamedTuple):
    """A file in a shard: its name, and where its bytes lie: offset and size, in bytes."""

    name: str
    offset: int
    size: int


class _Refused(Exception):
    """Why a member, or the tar after it, is refused."""


def members(path: Path, name: str | None = None) -> Iterator[Member]:
    """The files of a tar, in order, down to its last byte; `name` is what errors call it, if not by its own.

    Raises SetupError, naming tar and member, at the first that is no plain file with a safe name of its own and all of
    its bytes, and where the tar does not end as one.
    """
    where = "at its start"
    try:
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            names: set[str] = set()
            while (member := _next(file, n_bytes)) is not None:
                where = f"at {member.name!a:.120}"
                _check_name(member.name, names)
                names.add(member.name)
                yield member
                where = f"after {member.name!a:.120}"
                file.seek(member.offset + _padded(member.size))
    except FileNotFoundError as error:
        raise SetupError(f"no shard {path}: fetch or make the set again") from error
    except _Refused as refused:
        raise SetupError(f"the shard {name or path.name} is refused, {where}: {refused}") from refused


def places(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and size of each member, by its name; raises as `members` does."""
    return {member.name: (member.offset, member.size) for member in members(path)}


def _check_name(name: str, known: set[str]) -> None:
    if reason := archives.why_unsafe(name):
        raise _Refused(reason)
    if name in known:
        raise _Refused("this name is in it twice")


def _next(file: BinaryIO, n_bytes: int) -> Member | None:
    """The member whose header comes next, with the longer name that may come before it; None at the end."""
    long_name: bytes | None = None
    while True:
        header = _block(file)
        if header.count(0) == BLOCKSIZE:
            if long_name is not None:
                raise _Refused("a long name, but no member")
            _check_end(file)
            return None
        kind, size = _checked(header)
        if file.tell() + _padded(size) > n_bytes:
            raise _Refused(f"a member claims {size} bytes, more than the rest of the shard")
        if kind in FILE:
            return Member(_text(long_name or _name(header)), file.tell(), size)
        if kind not in (EXTENDED, LONG_NAME):
            raise _Refused(f"{KINDS.get(kind, 'an unknown kind of member')} named {_shown(_name(header))}")
        if long_name is not None:
            raise _Refused("two long names for one member")
        long_name = _extended(file, size, kind)


def _block(file: BinaryIO) -> bytes:
    block = file.read(BLOCKSIZE)
    if len(block) != BLOCKSIZE:
        raise _Refused("the shard ends without the two empty blocks that end a tar")
    return block


def _check_end(file: BinaryIO) -> None:
    """After an empty block: nothing but zeros may follow, one block at least."""
    rest = _block(file)
    while rest:
        if rest.count(0) != len(rest):
            raise _Refused("something lies behind the end of the tar")
        rest = file.read(2**20)


def _checked(header: bytes) -> tuple[bytes, int]:
    """Kind and size of a header whose checksum is right."""
    if header[257:265] not in MAGIC:
        raise _Refused("no header of a tar")
    if _number(header[148:156]) != sum(header[:148]) + 8 * ord(" ") + sum(header[156:]):
        raise _Refused("a damaged header: its checksum is wrong")
    return header[156:157], _number(header[124:136])


def _number(field: bytes) -> int:
    """An octal number; those of other notations are for files of more than eight gigabytes."""
    digits = field.rstrip(b"\0 ").lstrip(b" ")
    if not digits or digits.strip(b"01234567"):
        raise _Refused(f"a header with {_shown(field)} in place of a number")
    return int(digits, 8)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:265] == MAGIC[0] else b""
    return prefix + b"/" + name if prefix else name


def _extended(file: BinaryIO, size: int, kind: bytes) -> bytes:
    """The long name that a header of its own holds."""
    if size > MAX_EXTENDED_BYTES:
        raise _Refused(f"a header of {size} bytes, more than {MAX_EXTENDED_BYTES}")
    content = file.read(size)
    file.seek(_padded(size) - size, os.SEEK_CUR)
    if kind == LONG_NAME:
        return content.rstrip(b"\0")
    found = dict(_records(content))
    if strange := set(found) - EXTENDED_KEYS:
        raise _Refused(f"a header that says {_shown(min(strange))}, which no shard needs")
    if b"path" not in found:
        raise _Refused("an extended header without a name")
    return found[b"path"]


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The `length key=value` lines of a pax header."""
    while content:
        digits, space, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 6 and space else 0
        record, content = content[:length], content[length:]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if len(record) != length or not equals or not value.endswith(b"\n"):
            raise _Refused("an extended header that cannot be read")
        yield key, value[:-1]


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Refused(f"a name that is not UTF-8: {_shown(name)}") from error


def _shown(text: bytes) -> str:
    """Bytes of a header, short and without letters that a terminal would obey."""
    return f"{text.decode('latin-1')!a:.120}"


def _padded(size: int) -> int:
    return -(-size // BLOCKSIZE) * BLOCKSIZE
