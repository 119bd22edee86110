"""Benchmarks as a list of files: a CSV, or lines of words, names each image and its label, perhaps its checksum."""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from dda.core.errors import SetupError
from dda.io import archives
from dda.io.entries import columns_of, entry_of
from dda.io.images import LabelledImage, text

DIGITS = {"md5": 32, "sha256": 64}
MAX_FIELD_CHARACTERS = 2**20


def listed(folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    """The images that the list names, in its order; one whose file is not there is an image that cannot be read.

    Settings of the row: `list`, the list's name, wherever below the folder; `columns`, which column is `path` (from
    the list's own folder), `label`, and perhaps `generator`, `source`, `cluster`, `md5`, `sha256`; `labels`, the words
    for real and fake. With `separator: space`, lines are words without a header, and columns are numbers from 0.
    """
    if not folder.is_dir():
        raise SetupError(f"no benchmark folder at {folder}: put the benchmark there, then `dvc add data`")
    places = sorted(folder.rglob(row["list"]))
    if len(places) != 1:
        seen = ", ".join(str(place.relative_to(folder)) for place in places[:3]) or "none"
        raise SetupError(f"expected one list {row['list']} below {folder}, found {seen}: put the benchmark's own there")
    yield from images_of(places[0], folder, row)


def images_of(path: Path, folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    """The images of one list; ids are paths from `folder`.

    Raises SetupError, with the line's number, for what names no place below the list's own folder: lists come from
    anywhere.
    """
    for number, cells in _lines(path, row):
        where = f"line {number} of {path.name}"
        place = _place(str(cells.get("path") or ""), path.parent, where)
        facts = entry_of(cells, row, row.get("generator") or text(folder.name), where)
        image_id = text(place.relative_to(folder).as_posix())
        digest = _digest(cells, where)
        cluster = facts.cluster or image_id
        yield LabelledImage(image_id, cluster, facts.generator, facts.source, facts.label, place, digest=digest)


def _lines(path: Path, row: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and cells by what they mean; empty lines are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from (_words(file, path, row) if row.get("separator") == "space" else _records(file, path, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SetupError(f"the list {path} cannot be read: {error}; expected text in UTF-8") from error


def _words(file: Any, path: Path, row: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of lines such as `path label`; a path may hold spaces, the words after it may not."""
    n_after = max(row["columns"].values())
    for number, line in enumerate(file, 1):
        if words := line.strip().rsplit(maxsplit=n_after):
            if len(words) != n_after + 1:
                raise SetupError(f"line {number} of {path.name} has {len(words)} of {n_after + 1} words")
            yield number, {meaning: words[place] for meaning, place in row["columns"].items()}


def _records(file: Any, path: Path, row: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    reader = csv.DictReader(file)
    columns = columns_of(row, dict.fromkeys(reader.fieldnames or ()), path.name)
    for record in reader:
        if any(record.get(column) for column in columns.values()):
            yield reader.line_num, {meaning: record[column] for meaning, column in columns.items()}


def _place(name: str, folder: Path, where: str) -> Path:
    """The place below a folder that a list names. Raises SetupError where it names none."""
    plain = PurePosixPath(name.strip()).as_posix()
    if not name.strip() or (reason := archives.why_unsafe(plain)):
        told = reason if name.strip() else "nothing"
        raise SetupError(f"{where} names the file {name!a:.120}: {told}; expected a path below the list's own folder")
    place = folder / plain
    links = [
        above for above in place.parents if above.is_relative_to(folder) and above != folder and above.is_symlink()
    ]
    if links:
        raise SetupError(f"{where} names a file behind a link to a folder, {links[-1]}, which is not followed")
    return place


def _digest(cells: Mapping[str, Any], where: str) -> str | None:
    for kind, n_digits in DIGITS.items():
        if value := str(cells.get(kind) or "").strip().lower():
            if not re.fullmatch(rf"[0-9a-f]{{{n_digits}}}", value):
                raise SetupError(f"{where} has the {kind} {value!a:.80}; expected {n_digits} hex digits")
            return f"{kind}:{value}"
    return None
