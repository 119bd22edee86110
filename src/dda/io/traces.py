"""What an image file says of its own past: compression, camera, marks of programs. Facts, not verdicts.

No detector is asked, and none of it is proof: metadata can be written by anybody and are lost on the way through most
services, so that their absence means nothing.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from dda.core import containers, recompression, sentences
from dda.core.containers import line
from dda.core.grids import GridPhase, grid_and_earlier
from dda.core.jpeg import STORED_RGB, jpeg_facts
from dda.io import photos, pictures, provenance, unknown_files

MAX_MEASURED_PIXELS = 50_000_000
"""The pixels of larger images are not decoded for the sake of facts."""
EMPTY = {
    **dict.fromkeys(("format", "width", "height", "mode", "pictures", "jpeg", "grid", "camera", "icc", "c2pa")),
    **{"position": False, "thumbnail": False, "error": None},
}
SHOWN, SEARCHED = ("Make", "Model", "Software"), ("ImageDescription", "Make", "Model", "Software", "UserComment")
Found = TypeVar("Found")


def facts(content: bytes) -> dict[str, Any]:
    """Facts of an image file's bytes, ready for JSON. Never raises; what is not known is None, false or empty.

    - `format`, `width`, `height` (as stored), `mode` (Pillow's), `pictures` (frames), `bytes`, `sha256`
    - `jpeg`: `quality` of IJG and `quality_exact`, `tables` (digest), `subsampling`, `progressive`, `restarts`,
      `comment`; `recompressed`: `found`, the earlier `quality` (with `lowest` and `highest`), `gain`, `limit`, `fit`
    - `grid`: `x`, `y`, `strength` of an 8x8 grid of blocks that is not the file's own
    - `camera`: `make`, `model`, `software`, `taken`; `position`, `thumbnail`: whether there is one; `icc`: its name
    - `c2pa`, `source_types`, `generator`: see `io.provenance.declared`
    - `sentences`: all of it in plain words; `error`: why some of it could not be read
    """
    told: dict[str, Any] = {**EMPTY, "bytes": len(content), "sha256": photos.sha256(content)}
    if containers.crowded(content):
        nobody = provenance.declared(b"", {})
        return told | nobody | {"error": "a JPEG of more segments than any program writes", "sentences": []}
    nothing: dict[str, Any] = {}
    for reader in (_header, _metadata, _profile):
        told |= _read(content, reader, nothing)
    told |= provenance.declared(content, _read(content, _exif_texts, {}))
    if told["jpeg"]:
        told["jpeg"]["restarts"] = any(name == "DRI" and any(found) for name, found in containers.parts(content))
    try:
        hint, told["grid"] = _guarded(content, _pixels)
        told["jpeg"] = told["jpeg"] and told["jpeg"] | {"recompressed": hint}
    except photos.PhotoRejected as rejection:
        told["error"] = str(rejection)
    return told | {"sentences": sentences.sentences(told)}


def _read(content: bytes, reader: Callable[[Image.Image], Found], otherwise: Found) -> Found:
    """What a reader finds in an image; metadata may be broken where pixels are not, and the other way round."""
    try:
        return _guarded(content, reader)
    except photos.PhotoRejected:
        return otherwise


def _guarded(content: bytes, reader: Callable[[Image.Image], Found]) -> Found:
    """What a reader finds in an image of any format that is judged."""
    formats = (*pictures.FORMATS, *unknown_files.formats(content))
    return photos.guarded(content, reader, pictures.MAX_PIXELS, formats=formats)


def _header(image: Image.Image) -> dict[str, Any]:
    return {
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "pictures": getattr(image, "n_frames", 1),
        "jpeg": _jpeg(image) if image.format in photos.JPEG_FORMATS else None,
    }


def _jpeg(image: Image.Image) -> dict[str, Any]:
    found = jpeg_facts(image)
    return {
        "quality": found.quality,
        "quality_exact": found.quality_exact,
        "tables": found.tables_digest,
        "subsampling": found.subsampling,
        "progressive": found.progressive,
        "comment": line(image.info.get("comment")),
        "recompressed": None,
    }


def _metadata(image: Image.Image) -> dict[str, Any]:
    exif = image.getexif()
    tags = _names(exif) | _names(exif.get_ifd(ExifTags.IFD.Exif))
    camera = {name.lower(): line(tags.get(name)) for name in SHOWN}
    camera["taken"] = line(tags.get("DateTimeOriginal")) or line(tags.get("DateTime"))
    return {
        "camera": camera if any(camera.values()) else None,
        "position": bool(exif.get_ifd(ExifTags.IFD.GPSInfo)),
        "thumbnail": ExifTags.Base.JpegIFOffset in exif.get_ifd(ExifTags.IFD.IFD1),
    }


def _names(tags: Any) -> dict[str, Any]:
    return {ExifTags.TAGS.get(number, str(number)): value for number, value in tags.items()}


def _profile(image: Image.Image) -> dict[str, Any]:
    profile = image.info.get("icc_profile")
    if not profile:
        return {}
    return {"icc": line(ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile))))}


def _exif_texts(image: Image.Image) -> dict[str, str]:
    exif = image.getexif()
    tags = _names(exif) | _names(exif.get_ifd(ExifTags.IFD.Exif))
    return {name: text for name in SEARCHED if (text := _whole_text(tags.get(name)))}


def _whole_text(value: object) -> str:
    """A tag's text; a user's comment begins with eight bytes that name its letters (EXIF 2.32, 4.6.5)."""
    if isinstance(value, bytes):
        wide = value.startswith(b"UNICODE\0")
        named = wide or value[:8] in (b"ASCII\0\0\0", bytes(8))
        value, order = (value[8:] if named else value)[: provenance.MAX_SEARCHED_BYTES], "utf-16-be"
        if wide and value[1:2] == b"\0":
            order = "utf-16-le"
        return value.decode(order if wide else "utf-8", "replace")
    return value[: provenance.MAX_SEARCHED_BYTES] if isinstance(value, str) else ""


def _pixels(image: Image.Image) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The hint of an earlier compression at the same place, and a grid that is not the file's own."""
    if image.width * image.height > MAX_MEASURED_PIXELS:
        raise photos.PhotoRejected(f"more than {MAX_MEASURED_PIXELS} pixels, which were not searched for traces")
    if image.format not in photos.JPEG_FORMATS:
        return None, _place(grid_and_earlier(_luminance(image))[0])
    found = jpeg_facts(image)
    plain = image.mode in ("RGB", "L") and found.subsampling != STORED_RGB
    if plain:  # luma as the decoder has it: by way of red, green and blue it would be rounded and cut off
        image.draft("L", image.size)
    luminance = np.asarray(image) if plain else _luminance(image)
    hint = recompression.recompression(luminance, found.tables[0]) if plain else None
    return _hint(hint), _place(grid_and_earlier(luminance)[1])


def _luminance(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(photos.rgb_picture(image).convert("L"))


def _hint(found: recompression.Recompression | None) -> dict[str, Any] | None:
    if found is None:
        return None
    sure = found.gain > recompression.FOUND
    named = sure and found.fit >= recompression.FITTING
    return {
        "found": sure,
        "quality": found.quality if named else None,
        "lowest": found.lowest if named else None,
        "highest": found.highest if named else None,
        "gain": round(found.gain, 4),
        "limit": recompression.FOUND,
        "fit": round(found.fit, 2),
    }


def _place(grid: GridPhase | None) -> dict[str, Any] | None:
    return {"x": grid.x, "y": grid.y, "strength": round(grid.strength, 2)} if grid else None
