"""What made a file: the stages of a dvc.lock from an output up to the photos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Lock = Mapping[str, Any]
CODE = "src/"


@dataclass(frozen=True)
class Item:
    """A file or folder of a stage: md5 as DVC has it, bytes, and how many files; `made_by` names stages above."""

    path: str
    md5: str | None
    bytes: int | None
    files: int | None
    made_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A stage as it last ran: its command, its parameters by file, what it read, the code it ran, what it made."""

    name: str
    command: str
    params: Mapping[str, Any]
    data: tuple[Item, ...]
    code: Mapping[str, str]
    outputs: tuple[Item, ...]

    @property
    def told(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def maker(lock: Lock, path: str) -> str | None:
    """The stage that made exactly this file or folder; None where no stage did."""
    return next((name for name, stage in _stages(lock).items() if path in _paths(stage.get("outs", []))), None)


def trace(lock: Lock, path: str) -> list[Stage]:
    """The stage that made a file or folder, and all stages above it, each after those that read what it made.

    Empty where no stage did.
    """
    order: list[str] = []
    first = maker(lock, path)
    if first:
        _visit(lock, first, order, set())
    return [_stage(lock, name) for name in reversed(order)]


def _visit(lock: Lock, name: str, order: list[str], seen: set[str]) -> None:
    """Append all stages above one, and then itself."""
    seen.add(name)
    for other in _above(lock, name):
        if other not in seen:
            _visit(lock, other, order, seen)
    order.append(name)


def reads_of(stages: Sequence[Stage], path: str) -> Item | None:
    """What the stages read at this place, as the last of them has it; None where none did."""
    found = [item for stage in stages for item in stage.data if item.path == path]
    return found[-1] if found else None


def settings(stages: Sequence[Stage], verb: str, file: str = "params.yaml") -> dict[str, Any]:
    """Parameters of all stages of a verb (`reconstruct` of `reconstruct@tiny`) from one file."""
    found: dict[str, Any] = {}
    for stage in stages:
        if stage.name.partition("@")[0] == verb:
            found |= stage.params.get(file, {})
    return found


def _stages(lock: Lock) -> Mapping[str, Any]:
    return lock.get("stages") or {}


def _paths(items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [item["path"] for item in items]


def _above(lock: Lock, name: str) -> list[str]:
    """The stages that made what a stage read."""
    read = _paths(_stages(lock)[name].get("deps", []))
    return list(dict.fromkeys(maker for path in read for maker in _makers(lock, path) if maker != name))


def _makers(lock: Lock, path: str) -> Iterator[str]:
    """Stages that made a file or folder, something in it, or the folder that it lies in."""
    for name, stage in _stages(lock).items():
        if any(_overlap(path, made) for made in _paths(stage.get("outs", []))):
            yield name


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _stage(lock: Lock, name: str) -> Stage:
    stage = _stages(lock)[name]
    read = stage.get("deps", [])
    return Stage(
        name,
        stage.get("cmd", ""),
        stage.get("params", {}),
        tuple(_item(one, tuple(_makers(lock, one["path"]))) for one in read if not one["path"].startswith(CODE)),
        {one["path"]: one.get("md5", "") for one in read if one["path"].startswith(CODE)},
        tuple(_item(one, (name,)) for one in stage.get("outs", [])),
    )


def _item(one: Mapping[str, Any], made_by: tuple[str, ...]) -> Item:
    return Item(one["path"], one.get("md5"), one.get("size"), one.get("nfiles"), made_by)
