"""Which images somebody means who names files, folders, patterns, or a list on standard input."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path, PurePath

from dda.io import images, photos

LIST = "-"


@dataclass(frozen=True)
class Gathered:
    """Paths, each once, in the order in which they were named; folders and lists in which there was no image."""

    paths: tuple[str, ...]
    empty: tuple[str, ...]


def gather(words: Sequence[str], null: bool = False) -> Gathered:
    """What is meant by words: `-` is a list on standard input, a path a line, or with a zero byte after each.

    A file is taken whatever it is called. What does not exist is taken too, like a pattern that nothing matches: it
    becomes a row with a reason. Of a folder (all below it) and of a pattern (`**` for folders at any depth) those files
    are taken that count as images; links to folders are not followed, unless one is named itself. Lines of a list are
    no patterns.
    """
    paths: dict[str, None] = {}
    empty = []
    for word in words:
        found = dict.fromkeys(_meant(word, null))
        if not found:
            empty.append(word)
        paths |= found
    return Gathered(tuple(paths), tuple(empty))


def _meant(word: str, null: bool) -> Iterator[str]:
    if word == LIST:
        for line in listed(sys.stdin.buffer.read(), null):
            yield from _of_folder(line) if os.path.isdir(line) else [line]  # noqa: PTH112 (bytes that are no UTF-8)
    elif has_magic(word) and not os.path.lexists(word):
        yield from list(_of_pattern(word)) or [word]
    elif Path(word).is_dir():
        yield from _of_folder(word)
    else:
        yield word


def listed(content: bytes, null: bool) -> list[str]:
    """The paths of a list, as the operating system has them; empty lines are none."""
    ends = b"\0" if null else b"\n"
    lines = content.split(ends) if null else [line.removesuffix(b"\r") for line in content.split(ends)]
    return [os.fsdecode(line) for line in lines if line]


def _of_folder(folder: str) -> Iterator[str]:
    for path in photos.find(Path(folder)):
        within = path.relative_to(folder).as_posix()
        if path == Path(folder) or images.is_image(within):
            yield str(path)


def _of_pattern(pattern: str) -> Iterator[str]:
    whole = PurePath(pattern)
    start = Path(whole.anchor)  # empty for a relative pattern
    for path in sorted(start.glob(str(whole.relative_to(whole.anchor)))):
        if path.is_dir() and not path.is_symlink() and "**" not in whole.parts:
            yield from _of_folder(str(path))
        elif not path.is_dir() and images.is_image(path.relative_to(_fixed(whole)).as_posix()):
            yield str(path)


def _fixed(pattern: PurePath) -> PurePath:
    """The folders of a pattern that are named in full, which may be called what they like."""
    parts = pattern.parts[:-1]
    until = next((number for number, part in enumerate(parts) if has_magic(part)), len(parts))
    return PurePath(*parts[:until])
