"""Benchmarks as trees of folders: class folders, reals shared by all generators, fakes only, and pairs by id.

Settings of a row that all of them know: `outer`, folders around the benchmark that name nothing; `skip`, folders that
are no part of it, such as `train`; `files`, a pattern of the names that count; `generators`, folders' names as people
write them; `reals_from`, where the reals are from: one name, or one for each top folder.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from dda.core.errors import SetupError, did_you_mean
from dda.core.labels import FAKE, REAL
from dda.io import photos
from dda.io.images import GENERATED, SERVES_ALL, LabelledImage, is_image, text

LOOKS_REAL = {"0_real", "real", "reals", "nature", "authentic"}
Row = Mapping[str, Any]


class _File(NamedTuple):
    """A file of a benchmark: its id, and its folders and name without those around the benchmark."""

    path: Path
    image_id: str
    parts: tuple[str, ...]


def class_folders(folder: Path, row: Row) -> Iterator[LabelledImage]:
    """Every file below a folder with a class's name, at any depth; what lies elsewhere has no label and is an error.

    `real` and `fake` are the classes' names; the nearest counts. The generator, of both sides, is the first folder, or
    the benchmark where class folders lie in it; with `generator_below` it is a fake's folder below its class, and the
    reals serve all. With `platforms`, the first folder is where either was found.
    """
    for file in _files(folder, row):
        if not (named := class_of(file.parts, row)):
            raise SetupError(f"{file.path} lies in no class folder; expected one of {_classes(row)} above it")
        label, depth = named
        top = file.parts[0]
        generator = row.get("generator") or folder.name if top == file.parts[depth] else _name(top, row)
        if row.get("generator_below"):
            below = file.parts[depth + 1]
            has_folder = len(file.parts) > depth + 2
            generator = SERVES_ALL if label == REAL else _name(below, row) if has_folder else generator
        source = text(top) if row.get("platforms") and depth else _source(label, top, row, folder)
        yield LabelledImage(file.image_id, file.image_id, text(generator), source, label, file.path)


def shared_reals(folder: Path, row: Row) -> Iterator[LabelledImage]:
    """One folder of fakes for each generator, and folders of reals: `reals` says which generator each serves, or all.

    A class folder (`real`) within a generator's folder, as in copies shipped anew, holds that generator's own reals.
    """
    for file in _files(folder, row):
        label, generator = _side(file, row)
        source = _source(label, file.parts[0], row, folder)
        yield LabelledImage(file.image_id, file.image_id, text(generator), source, label, file.path)


def paired(folder: Path, row: Row) -> Iterator[LabelledImage]:
    """As `shared_reals`; the file's name without its extension is the id, which a real and its fakes share."""
    for file in _files(folder, row):
        label, generator = _side(file, row)
        source = _source(label, file.parts[0], row, folder)
        pair = text(PurePosixPath(file.parts[-1]).stem)
        yield LabelledImage(file.image_id, pair, text(generator), source, label, file.path)


def fakes_only(folder: Path, row: Row) -> Iterator[LabelledImage]:
    """A folder of fakes for each generator, whatever its name, and no reals."""
    for file in _files(folder, row):
        inside = [part for part in file.parts[:-1] if part.casefold() in LOOKS_REAL]
        if inside:
            raise SetupError(
                f"{file.path} lies in a folder {inside[-1]!r}, but the benchmark holds fakes only: move it"
            )
        if len(file.parts) == 1:
            raise SetupError(f"{file.path} lies in no generator's folder: put it into one with the generator's name")
        generator = text(_name(file.parts[0], row))
        yield LabelledImage(file.image_id, file.image_id, generator, GENERATED, FAKE, file.path)


def class_of(parts: tuple[str, ...], row: Row) -> tuple[int, int] | None:
    """Label and depth of the nearest folder with a class's name above a file; None where there is none."""
    labels = dict.fromkeys(row.get("real", ()), REAL) | dict.fromkeys(row.get("fake", ()), FAKE)
    depths = [depth for depth, part in enumerate(parts[:-1]) if part in labels]
    return (labels[parts[depths[-1]]], depths[-1]) if depths else None


def _files(folder: Path, row: Row) -> Iterator[_File]:
    if not folder.is_dir():
        raise SetupError(f"no benchmark folder at {folder}: put the benchmark there, then `dvc add data`")
    skipped = set(row.get("skip", ()))
    for path in photos.find(folder):
        parts = path.relative_to(folder).parts
        if not parts:
            raise SetupError(f"the folder {folder} cannot be listed: give yourself the right to read it")
        counts = is_image("/".join(parts)) and fnmatchcase(path.name, row.get("files", "*"))
        if counts and not skipped & set(parts[:-1]):
            yield _File(path, text("/".join(parts)), _within(parts, row.get("outer", ())))


def _within(parts: tuple[str, ...], outer: tuple[str, ...]) -> tuple[str, ...]:
    while len(parts) > 1 and parts[0] in outer:
        parts = parts[1:]
    return parts


def _side(file: _File, row: Row) -> tuple[int, str]:
    """Label and generator of a file of `shared_reals`; no folder is real or fake by default."""
    top, known = file.parts[0], row["generators"]
    if len(file.parts) > 1 and top in row["reals"]:
        return REAL, row["reals"][top]
    if len(file.parts) == 1 or top not in known:
        guess = did_you_mean(text(top), [*row["reals"], *known])
        raise SetupError(f"{file.path} lies in no folder of reals and of no generator. {guess}")
    named = class_of(file.parts, row)
    return (named[0] if named else FAKE), _name(top, row)


def _name(top: str, row: Row) -> str:
    return str((row.get("generators") or {}).get(top, top))


def _source(label: int, top: str, row: Row, folder: Path) -> str:
    if label == FAKE:
        return GENERATED
    source = row.get("reals_from") or text(folder.name)
    return str(source.get(top) or text(folder.name)) if isinstance(source, Mapping) else str(source)


def _classes(row: Row) -> str:
    return ", ".join([*row["real"], *row["fake"]])
