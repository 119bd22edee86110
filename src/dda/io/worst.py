"""The images that a detector is most wrong about, as small pictures beside its table of predictions.

Kept when the images are there, so that a report needs no benchmark.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from dda.core import mistakes
from dda.core.cases import NATIVE
from dda.io import photos, predictions, tables
from dda.io.images import LabelledImage

N_EACH, LONGER_SIDE_PX, QUALITY = 8, 192, 80
COLUMNS = {
    "mistake": "str",
    "image_id": "str",
    "generator": "str",
    "source": "str",
    "logit": "Float64",
    "picture": "object",
}


def path_of(table: Path) -> Path:
    """Where the pictures that belong to a table of predictions lie."""
    return table.parent / "worst" / table.name


def write(table: Path, images: Sequence[LabelledImage], max_pixels: int) -> None:
    """Keep the worst mistakes of a table of predictions, judged as they are (protocol `native`)."""
    judged = predictions.selected(tables.read(table), NATIVE)
    by_id = {image.image_id: image for image in images}
    rows = [
        {
            "mistake": mistake,
            **{name: row[name] for name in ("image_id", "generator", "source", "logit")},
            "picture": thumbnail(by_id[row["image_id"]].read(), max_pixels),
        }
        for mistake, found in mistakes.worst(judged, N_EACH).items()
        for row in tables.records(found)
    ]
    tables.write(path_of(table), rows, COLUMNS)


def thumbnail(content: bytes, max_pixels: int) -> bytes:
    """A small JPEG of an image file, its longer side at most LONGER_SIDE_PX."""
    from PIL import Image

    picture, buffer = Image.fromarray(photos.decode_any(content, max_pixels)), BytesIO()
    picture.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def read(table: Path) -> Mapping[str, list[dict[str, Any]]]:
    """Rows by mistake, worst first; none where nobody has kept any."""
    path = path_of(table)
    rows = tables.records(tables.read(path)) if path.is_file() else []
    kinds = (mistakes.FALSE_POSITIVE, mistakes.FALSE_NEGATIVE)
    return {kind: [row for row in rows if row["mistake"] == kind] for kind in kinds}
