"""A Python function of others that takes images and gives scores, by its name `package.module:function`."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dda.core import kinds
from dda.core.errors import SetupError
from dda.io import foreign, shards
from dda.io.detectors import sha256_of
from dda.io.foreign import Pixels

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """A function as a judge: `images` are RGB uint8 arrays (H, W, 3), and it gives a score for each."""

    function: Callable[[list[Pixels]], Any]
    description: Row

    @property
    def digest(self) -> str:
        """Stands for the function: its name, its module's source, and the version that the row gives it."""
        row = self.description["row"]
        decisive = [row.get(name) for name in ("callable", "output", "input_px", "version")]
        return shards.fingerprint("callable", decisive, self.description["source_sha256"])

    def windows(self, pixels: Pixels, views: str) -> list[Pixels]:
        """Windows of `input_px` where the row names it, else the whole image."""
        return foreign.windows(pixels, views, self.description["row"].get("input_px"))

    def scores(self, windows: Sequence[Pixels]) -> list[float | str]:
        """A logit for each, or why there is none."""
        return foreign.answers(self._ask, windows, self.description["row"]["output"])

    def _ask(self, windows: Sequence[Pixels]) -> Any:
        return self.function([window.copy() for window in windows])  # theirs to change


def place(row: Row, folder: Path, sets: Mapping[str, Path]) -> dict[str, Any]:
    """The digest of its source; nothing is copied. Raises SetupError where there is no such function."""
    del folder, sets
    return {"source_sha256": _source_sha256(_found(row["callable"]))}


def load(folder: Path, description: Row, precision: str) -> Function:
    """The function. Raises SetupError where there is none, or its source has changed since it was put in place."""
    del precision
    function = _found(description["row"]["callable"])
    if _source_sha256(function) != description["source_sha256"]:
        name = description["row"]["callable"]
        step = f"run `dda train {description['name']}` again, so that its scores are made anew"
        raise SetupError(f"the source of {name} has changed since it was put into {folder}: {step}")
    return Function(function, description)


def _found(name: str) -> Any:
    """What bears this name, `package.module:function`."""
    if not kinds.CALLABLE.fullmatch(name):
        raise SetupError(f"{name!a:.120} names no function: it must be package.module:name")
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        step = "install it, or name its folder in PYTHONPATH"
        raise SetupError(f"cannot import {module} of {name}: {error}: {step}") from error
    except AttributeError as error:
        raise SetupError(f"there is no {attribute!r} in {module}: {error}") from error
    if not callable(found):
        raise SetupError(f"{name} is a {type(found).__name__}, it must be a function: images -> scores")
    return found


def _source_sha256(function: Any) -> str | None:
    """The sha256 of the file that it is written in; None where there is none, as of compiled code."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # of a built-in, or of an object that is called
        path = inspect.getsourcefile(type(function)) if type(function).__module__ != "builtins" else None
    return sha256_of(Path(path)) if path and Path(path).is_file() else None
