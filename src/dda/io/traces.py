"""What an image file says of its own past: compression, camera, marks of programs. Facts, not verdicts.

Nothing here looks at what a detector says, and none of it is proof: metadata can be written by anybody and are lost on
the way through most services, so that their absence means nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from dda.core.grids import GridPhase, grid_and_earlier
from dda.core.jpeg import jpeg_facts
from dda.io import photos, pictures

MAX_MEASURED_PIXELS = 50_000_000
"""Larger ones are not decoded for the sake of facts."""
MAX_LETTERS = 200
FACTS = ("format", "width", "height", "mode", "jpeg", "grid", "camera", "c2pa", "generator", "sentences")
CAMERA = {"make": 0x010F, "model": 0x0110, "software": 0x0131}  # tags of EXIF
TAKEN = (0x9003, 0x0132)


def facts(content: bytes) -> dict[str, Any]:
    """Facts of an image file's bytes, ready for JSON; never raises. What is not known is None.

    `format`, `width`, `height` (as stored), `mode` (Pillow's), `bytes`, `sha256`; `jpeg`: `quality` of IJG,
    `quality_exact`, `tables` (digest), `subsampling`, `progressive`, `recompressed`; `grid`: x, y, strength of an 8x8
    grid that is not the file's own; `camera`: make, model, software, taken; `c2pa`; `generator`: programs' marks, each
    with `where` and `says`; `sentences` say each in plain words.
    """
    told: dict[str, Any] = dict.fromkeys(FACTS)
    told |= {"bytes": len(content), "sha256": photos.sha256(content), "generator": [], "sentences": []}
    try:
        told |= _read(content, _header)
        told["camera"] = _read(content, _camera)
        told |= _read(content, _pixels)
    except photos.PhotoRejected as rejection:
        told["sentences"].append(f"It could not be read in full: {rejection}.")
    told["sentences"] = [*_sentences(told), *told["sentences"]]
    return told


def _read(content: bytes, reader: Any) -> Any:
    return photos.guarded(content, reader, pictures.MAX_PIXELS, formats=pictures.FORMATS)


def _header(image: Image.Image) -> dict[str, Any]:
    return {"format": image.format, "width": image.width, "height": image.height, "mode": image.mode} | {
        "jpeg": _jpeg(image) if image.format in photos.JPEG_FORMATS else None
    }


def _jpeg(image: Image.Image) -> dict[str, Any]:
    found = jpeg_facts(image)
    return {
        "quality": found.quality,
        "quality_exact": found.quality_exact,
        "tables": found.tables_digest,
        "subsampling": found.subsampling,
        "progressive": found.progressive,
        "recompressed": None,
    }


def _camera(image: Image.Image) -> dict[str, str | None] | None:
    tags = image.getexif()
    found = {name: text(tags.get(tag)) for name, tag in CAMERA.items()}
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    found["taken"] = text(inner.get(TAKEN[0])) or text(tags.get(TAKEN[1]))
    return found if any(found.values()) else None


def text(value: object) -> str | None:
    """What a file says as one short line that is safe to show; None where that is nothing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    line = "".join(letter if letter.isprintable() else " " for letter in value[: 4 * MAX_LETTERS])
    return " ".join(line.split())[:MAX_LETTERS].rstrip() or None


def _pixels(image: Image.Image) -> dict[str, Any]:
    if image.width * image.height > MAX_MEASURED_PIXELS:
        return {}
    own = image.format in photos.JPEG_FORMATS
    luminance: NDArray[np.uint8] = np.asarray(photos.rgb_picture(image).convert("L"))
    first, earlier = grid_and_earlier(luminance)
    return {"grid": _place(earlier if own else first)}


def _place(grid: GridPhase | None) -> dict[str, float] | None:
    return {"x": grid.x, "y": grid.y, "strength": round(grid.strength, 2)} if grid else None


def _sentences(told: dict[str, Any]) -> list[str]:
    jpeg, camera, sentences = told["jpeg"], told["camera"], []
    if jpeg:
        nearness = "" if jpeg["quality_exact"] else "about "
        sentences.append(f"It is a JPEG of {nearness}quality {jpeg['quality']} (chroma {jpeg['subsampling']}).")
    if told["grid"] and jpeg:
        sentences.append("It was a JPEG before, and cut or moved after that: it holds an older grid of blocks.")
    elif told["grid"]:
        sentences.append("It was stored as a JPEG before: its pixels hold the grid of blocks.")
    if camera and (camera["make"] or camera["model"]):
        name = " ".join(word for word in (camera["make"], camera["model"]) if word)
        sentences.append(f"It names a camera: {name}.")
    if camera and camera["software"]:
        sentences.append(f"It names a program: {camera['software']}.")
    return sentences
