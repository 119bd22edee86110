"""Zip archives of others: refused as a whole where any name is not plainly safe, unpacked with every byte checked."""

import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from dda.core.errors import SetupError
from dda.io.progress import tracked

COPY_BYTES = 2**20
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 240  # file systems hold 255; a temporary name beside it needs some more letters
MAX_SHOWN = 3


def members(path: Path, max_bytes: int) -> list[zipfile.ZipInfo]:
    """The files of a zip, of `max_bytes` in all when unpacked.

    Raises SetupError, before anything is written, where it is no zip, is larger than that, or where an entry is no
    plain file with a safe name of its own. Folders are no members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, ValueError) as error:
        raise SetupError(f"{path.name} is no zip that can be read: {error}") from error
    wrong = [f"{_shown(entry)}: {reason}" for entry in entries if (reason := _why_refused(entry))]
    files = [entry for entry in entries if not entry.is_dir()]
    wrong += [f"{name!r}: {reason}" for name, reason in collisions(entry.filename for entry in files).items()]
    if wrong:
        more = f" and {len(wrong) - MAX_SHOWN} more" if len(wrong) > MAX_SHOWN else ""
        raise SetupError(
            f"{path.name} is refused as a whole, nothing was unpacked: {'; '.join(wrong[:MAX_SHOWN])}{more}"
        )
    claimed = unpacked_bytes(files)
    if claimed > max_bytes:
        raise SetupError(
            f"{path.name} is refused, nothing was unpacked: it would unpack to {claimed} bytes, more than {max_bytes}"
        )
    return files


def unpacked_bytes(files: Iterable[zipfile.ZipInfo]) -> int:
    """What members claim to need on the disk."""
    return sum(entry.file_size for entry in files)


def unpack(path: Path, files: list[zipfile.ZipInfo], folder: Path) -> None:
    """Write members of a zip below a folder. Raises SetupError with the name of a damaged one."""
    with zipfile.ZipFile(path) as archive:
        for entry in tracked(files, f"unpacking {path.name}"):
            target = folder / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                written = _copy(archive, entry, target)
            except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
                raise SetupError(f"{path.name} is damaged at {_shown(entry)}: {error}") from error
            if written != entry.file_size:
                raise SetupError(
                    f"{path.name} is damaged at {_shown(entry)}: {written} bytes, {entry.file_size} claimed"
                )


def why_unsafe(name: str) -> str | None:
    """Why a name from elsewhere, with `/` between its parts, names no place below a folder; None where it does."""
    parts = name.split("/")
    if name.startswith("/"):
        return "an absolute path"
    if "\\" in name:
        return "a backslash in the name"
    if parts[0][1:2] == ":" and parts[0][0].isalpha():
        return "a drive in the name"
    if not all(parts) or {".", ".."} & set(parts):
        return "an empty part, '.' or '..' in the name"
    return _why_no_file_name(name, parts)


def collisions(names: Iterable[str]) -> dict[str, str]:
    """Names that cannot lie side by side, with the reason: the same name twice, or the name of another's folder.

    Names are the same that a file system may hold to be: whatever the case, and however accents are written.
    """
    wrong: dict[str, str] = {}
    known: dict[str, str] = {}
    for name in names:
        folded = _folded(name)
        first = known.get(folded)
        if first is not None:
            wrong[name] = "twice in it" if first == name else f"the same name as {first!r} on some disks"
        known[folded] = name
    folders = {"/".join(parts[:depth]) for parts in map(_split, known) for depth in range(1, len(parts))}
    return wrong | {known[name]: "a file and a folder at once" for name in known if name in folders}


def _split(name: str) -> list[str]:
    return name.split("/")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _why_no_file_name(name: str, parts: list[str]) -> str | None:
    try:
        sizes = [len(part.encode("utf-8")) for part in parts]
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    if any(ord(letter) < 32 or letter == "\x7f" for letter in name):
        return "a control character in the name"
    if max(sizes) > MAX_PART_BYTES or len(name.encode("utf-8")) > MAX_NAME_BYTES:
        return f"a name of more than {MAX_PART_BYTES} bytes, or {MAX_NAME_BYTES} with its folders"
    return None


def _why_refused(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return "a link or device, no plain file"
    if entry.flag_bits & ENCRYPTED:
        return "encrypted"
    if entry.compress_type not in METHODS:
        return f"compressed by method {entry.compress_type}, neither stored nor deflated"
    return why_unsafe(entry.orig_filename.removesuffix("/") if entry.is_dir() else entry.orig_filename)


def _shown(entry: zipfile.ZipInfo) -> str:
    """The name as it stands in the archive, short and without letters that a terminal would obey."""
    return f"{entry.orig_filename!a:.120}"


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> int:
    """Write one member; how many bytes there were. zipfile gives no more than the entry claims, and checks the CRC."""
    written = 0
    with archive.open(entry) as packed, target.open("xb") as file:
        while content := packed.read(COPY_BYTES):
            written += file.write(content)
    return written
