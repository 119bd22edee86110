"""What a line of a table says of an image: its label, generator, source and cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dda.core.errors import SetupError, did_you_mean
from dda.core.labels import FAKE, REAL
from dda.io.images import GENERATED, SERVES_ALL, text

LABELS = {"real": REAL, "fake": FAKE}
OPTIONAL = ("generator", "source", "cluster", "md5", "sha256")
OWN: Mapping[str, Any] = {
    "labels": {"real": "real", "fake": "fake", "0": "real", "1": "fake"},
    "reals_by_generator": True,
    "optional": True,
}
"""How a table of a user's own is read: which words are which label, and that a real may name its generator."""


@dataclass(frozen=True)
class Entry:
    """The facts of one line; no `cluster` where the image is its own."""

    label: int
    generator: str
    source: str
    cluster: str | None


def columns_of(row: Mapping[str, Any], present: Mapping[str, Any], where: str) -> dict[str, str]:
    """Which column holds what, of those that are there. Raises SetupError where one that the row names is not.

    Where they are `optional`, as in a table of a user's own, only the image (or path) and the label must be there.
    """
    columns = dict(row["columns"])
    optional = OPTIONAL if row.get("optional") else ()
    for meaning, column in row["columns"].items():
        if column not in present:
            if meaning not in optional:
                raise SetupError(f"{where} has no column {column!r}. {did_you_mean(str(column), map(str, present))}")
            del columns[meaning]
    return columns


def entry_of(cells: Mapping[str, Any], row: Mapping[str, Any], name: str, where: str) -> Entry:
    """The facts in the cells of a line, by what they mean; `name` is the generator's where no cell names it.

    Raises SetupError for a label that the row does not map: nothing is real or fake by default.
    """
    label = label_of(cells.get("label"), row["labels"], where)
    generator = _text(cells.get("generator"))
    generator = row.get("generators", {}).get(generator, generator)
    if label == REAL and not (row.get("reals_by_generator") and generator):
        generator = SERVES_ALL
    source = _text(cells.get("source")) or (GENERATED if label == FAKE else row.get("reals_from") or name)
    return Entry(label, generator or name, source, _text(cells.get("cluster")) or None)


def label_of(value: Any, labels: Mapping[str, str], where: str) -> int:
    """REAL or FAKE by a row's mapping of words, in any case, where `*` stands for anything."""
    word = _text(value).casefold()
    for pattern, side in labels.items():
        if word == pattern.casefold() or ("*" in pattern and fnmatchcase(word, pattern.casefold())):
            return LABELS[side]
    known = ", ".join(f"{pattern} ({side})" for pattern, side in labels.items())
    raise SetupError(f"{where} has the label {_text(value)!a:.60}; known are {known}: map it in the row, or correct it")


def _text(value: Any) -> str:
    """A cell as a word; a whole number that a table made a float of is the whole number."""
    if value is None or value != value:  # noqa: PLR0124 - a missing number is not itself
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return text(str(value).strip())
