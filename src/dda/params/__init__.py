"""params.yaml, checked at the door: every mistake is named at once, with the nearest known word."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dda import catalog
from dda.core.errors import SetupError, did_you_mean
from dda.params import steps, views
from dda.params.sections import Params

__all__ = ["Params", "load", "sentences"]

LISTED: Mapping[str, tuple[str, Mapping[str, type[BaseModel]]]] = {
    "step": ("step", steps.BY_NAME),
    "augment": ("augmentation", views.BY_NAME),
}
"""Lists whose members say by this key what they are: what a member is called, and its kinds by name."""
KINDS: Mapping[str, type[BaseModel]] = {name: kind for _, known in LISTED.values() for name, kind in known.items()}


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
        return None, sentences(error, Params)


def _contradictions(values: dict[Any, Any]) -> list[str]:
    """What is wrong between sections; looked for in the plain values, so that it is told beside all other mistakes."""
    made, trained = (_known_vaes(values.get(section)) for section in ("reconstruct", "train"))
    return [f"train.vaes: {vae!r} must also stand in reconstruct.vaes" for vae in trained if made and vae not in made]


def _known_vaes(section: Any) -> list[str]:
    names = section.get("vaes") if isinstance(section, dict) else None
    return [name for name in names if name in catalog.table("vaes")] if isinstance(names, list) else []


def sentences(error: ValidationError, section: type[BaseModel]) -> list[str]:
    """Each mistake that was found in a section's values, by its place, with the nearest known word."""
    return [_sentence(mistake, section) for mistake in error.errors()]


def _sentence(mistake: Any, section: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in _without_kinds(mistake["loc"]))
    if mistake["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_kind(place, mistake["ctx"])
    if mistake["type"] == "extra_forbidden":
        *parents, key = mistake["loc"]
        return f"{place}: unknown key. {did_you_mean(str(key), _keys(parents, section))}"
    if mistake["type"] == "missing":
        return f"{place}: missing"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "value_error":
        return f"{place}: {message}" if place else message
    return f"{place}: {message}, not {mistake['input']!r}"


def _wrong_kind(place: str, context: dict[str, Any]) -> str:
    """Of a member of a list whose first key does not say what it is."""
    key = context["discriminator"].strip("'")
    thing, known = LISTED[key]
    if "tag" not in context:
        return f"{place}.{key}: missing. Known: {', '.join(known)}"
    return f"{place}.{key}: no {thing} {context['tag']!r}. {did_you_mean(context['tag'], known)}"


def _without_kinds(parts: Sequence[int | str]) -> list[int | str]:
    """A mistake's place as the file has it: after a list's number, pydantic names the kind of the member as well."""
    pairs = zip(("", *parts), parts, strict=False)
    return [part for before, part in pairs if not (isinstance(before, int) and part in KINDS)]


def _keys(parents: Sequence[int | str], section: Any) -> list[str]:
    """The keys that the section at this place knows."""
    for before, parent in zip(("", *parents), parents, strict=False):
        if isinstance(before, int) and parent in KINDS:
            section = KINDS[str(parent)]
        elif not isinstance(parent, int):
            section = section.model_fields[parent].annotation
    return list(section.model_fields)
