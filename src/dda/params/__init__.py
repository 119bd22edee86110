"""params.yaml, checked at the door: every mistake is named at once, with the nearest known word."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dda import catalog
from dda.core.errors import SetupError, did_you_mean
from dda.params import steps
from dda.params.sections import Params

__all__ = ["Params", "load"]


def load(path: Path) -> Params:
    """Read and check a params file. Raises SetupError with one line for each mistake."""
    if not path.is_file():
        raise SetupError(f"no {path}: run dda in the project's root, or name a file by --params")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:  # what PyYAML raises on odd scalars
        raise SetupError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise SetupError(f"{path} must hold the sections {', '.join(Params.model_fields)}; it holds {values!r:.80}")
    checked, mistakes = _validate(values)
    mistakes += _contradictions(values)
    if mistakes or checked is None:
        raise SetupError(f"{path} has {len(mistakes)} mistake(s):\n" + "\n".join(f"  {line}" for line in mistakes))
    return checked


def _validate(values: dict[Any, Any]) -> tuple[Params | None, list[str]]:
    try:
        return Params.model_validate(values), []
    except ValidationError as error:
        return None, [_sentence(mistake) for mistake in error.errors()]


def _contradictions(values: dict[Any, Any]) -> list[str]:
    """What is wrong between sections; looked for in the plain values, so that it is told beside all other mistakes."""
    made, trained = (_known_vaes(values.get(section)) for section in ("reconstruct", "train"))
    return [f"train.vaes: {vae!r} must also stand in reconstruct.vaes" for vae in trained if made and vae not in made]


def _known_vaes(section: Any) -> list[str]:
    names = section.get("vaes") if isinstance(section, dict) else None
    return [name for name in names if name in catalog.table("vaes")] if isinstance(names, list) else []


def _sentence(mistake: Any) -> str:
    parts = [part for part in mistake["loc"] if part not in steps.BY_NAME]  # pydantic names the kind of a step as well
    place = ".".join(str(part) for part in parts)
    if mistake["type"] == "union_tag_invalid":
        return f"{place}.step: no step {mistake['ctx']['tag']!r}. {did_you_mean(mistake['ctx']['tag'], steps.BY_NAME)}"
    if mistake["type"] == "union_tag_not_found":
        return f"{place}.step: missing. Known: {', '.join(steps.BY_NAME)}"
    if mistake["type"] == "extra_forbidden":
        *parents, key = mistake["loc"]
        return f"{place}: unknown key. {did_you_mean(str(key), _keys(parents))}"
    if mistake["type"] == "missing":
        return f"{place}: missing"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "value_error":
        return f"{place}: {message}" if place else message
    return f"{place}: {message}, not {mistake['input']!r}"


def _keys(parents: list[Any]) -> list[str]:
    """The keys that a section knows."""
    section: Any = Params
    for parent in parents:
        if parent in steps.BY_NAME:  # after a list's number, pydantic names the kind of a step
            section = steps.BY_NAME[parent]
        elif not isinstance(parent, int):
            section = section.model_fields[parent].annotation
    return list(section.model_fields)
