"""What is true of an image file, read from its bytes as anybody would: the audit compares it between the classes."""

from io import BytesIO
from typing import Any

from PIL import Image

from dda.core.jpeg import jpeg_facts
from dda.io import photos


def stored(content: bytes) -> dict[str, Any]:
    """Format, size in pixels, number of channels and, for a JPEG, how it is compressed.

    Raises OSError or ValueError for what is no image of a known format.
    """
    with Image.open(BytesIO(content), formats=photos.OPENED_FORMATS) as image:
        is_jpeg = image.format in photos.JPEG_FORMATS
        found: dict[str, Any] = {"format": "JPEG" if is_jpeg else image.format}
        found |= {"width": image.width, "height": image.height, "channels": len(image.getbands())}
        jpeg = jpeg_facts(image) if is_jpeg else None
    return found | {
        "jpeg_quality": jpeg.quality if jpeg else None,
        "jpeg_tables": jpeg.tables_digest if jpeg else None,
        "subsampling": jpeg.subsampling if jpeg else None,
        "progressive": jpeg.progressive if jpeg else None,
    }
