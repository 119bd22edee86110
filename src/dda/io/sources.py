"""Where a detector comes from: a folder, a version of the registered model, or a store."""

import re
from dataclasses import dataclass
from pathlib import Path

MODELS, STORE = "models:/", "s3://"
BY_ALIAS = re.compile(r"[\w.-]+@[\w.-]+")


@dataclass(frozen=True)
class Source:
    """The folder that a detector's files lie in, and the name by which it was found."""

    folder: Path
    name: str


def folder_of(model: str | Path) -> Path:
    """The folder of a detector, by whatever names it."""
    return find(model).folder


def find(model: str | Path) -> Source:
    """A detector by its folder, as `models:/NAME@ALIAS`, `models:/NAME/3` or `NAME@ALIAS`, or as `s3://bucket/prefix`.

    What is not here is fetched once, and kept where `fetched_detectors.cache` says. Raises SetupError where a registry
    or a store knows no such detector, or is away.
    """
    name = str(model)
    registered = name.startswith(MODELS) or (BY_ALIAS.fullmatch(name) and not Path(name).exists())
    if not registered and not name.startswith(STORE):
        return Source(Path(model), name)
    from dda.io import fetched_detectors

    if registered:
        folder, found = fetched_detectors.of_registry(name.removeprefix(MODELS))
        return Source(folder, f"{MODELS}{found}")
    return Source(fetched_detectors.of_store(name), name)
