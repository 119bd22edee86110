"""Facts of an image file in plain words: what each may mean, and nothing that it does not."""

from collections.abc import Iterator, Mapping
from typing import Any

from dda.core.marks import GENERATED_SOURCES, OTHER_SOURCES

CAUTION = (
    "None of this decides whether the image was generated: metadata can be forged, and most services remove them, so "
    "that their absence means nothing."
)


def sentences(facts: Mapping[str, Any]) -> list[str]:
    """What `io.traces.facts` found, a sentence each; the last one says once how far to trust them."""
    ways = (_compression, _history, _camera, _declared, _attached)
    told = [sentence for way in ways for sentence in way(facts)]
    return [*told, CAUTION] if told else []


def _compression(facts: Mapping[str, Any]) -> Iterator[str]:
    jpeg = facts["jpeg"]
    if jpeg:
        nearness = "exactly" if jpeg["quality_exact"] else "tables of its own, nearest to"
        scans = ", progressive" if jpeg["progressive"] else ""
        yield f"JPEG, {nearness} quality {jpeg['quality']}, chroma {jpeg['subsampling']}{scans}."
    if facts["format"] == "MPO":
        yield f"The file holds {facts['pictures']} pictures, as phones and stereo cameras write; this is the first."
    if jpeg and jpeg["comment"]:
        yield f"Its JPEG comment: {jpeg['comment']}"


def _history(facts: Mapping[str, Any]) -> Iterator[str]:
    jpeg, grid = facts["jpeg"], facts["grid"]
    hint = jpeg["recompressed"] if jpeg else None
    may_mean = "edited, re-uploaded or converted images often were; it says nothing about how the image was made."
    if hint and hint["found"]:
        named = f"of about quality {hint['quality']}" if hint["quality"] else "with other tables"
        yield f"It was probably stored as a JPEG {named} before: {may_mean}"
    if grid and jpeg:
        yield f"It was probably a JPEG before and was cropped or moved since (blocks begin at {_at(grid)}): {may_mean}"
    elif grid:
        yield f"Its pixels were probably stored as a JPEG before (blocks begin at {_at(grid)}): {may_mean}"


def _at(grid: Mapping[str, Any]) -> str:
    return f"x {grid['x']}, y {grid['y']}"


def _camera(facts: Mapping[str, Any]) -> Iterator[str]:
    camera = facts["camera"] or {}
    if name := " ".join(camera[key] for key in ("make", "model") if camera.get(key)):
        yield f"Its metadata name a camera: {name}."
    if camera.get("software"):
        yield f"Its metadata name a program: {camera['software']}."
    if camera.get("taken"):
        yield f"Its metadata say when it was taken: {camera['taken']}."
    if facts["position"]:
        yield "Its metadata hold the position where it was taken (not shown here)."


def _declared(facts: Mapping[str, Any]) -> Iterator[str]:
    if c2pa := facts["c2pa"]:
        by = f" by {c2pa['generator']}" if c2pa["generator"] else ""
        yield f"It carries Content Credentials (C2PA){by}; their signature was not checked."
    for term in facts["source_types"]:
        meaning = GENERATED_SOURCES.get(term) or OTHER_SOURCES[term]
        yield f"It declares where it is from: {meaning} ({term})."
    for mark in facts["generator"]:
        if mark["says"].startswith("names "):
            yield f"Its metadata ({mark['where']}) are of the kind that {mark['says'].removeprefix('names ')} writes."


def _attached(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["icc"]:
        yield f"Its colour profile: {facts['icc']}."
    if facts["thumbnail"]:
        yield "It carries a thumbnail of its own, which may show an earlier version."
