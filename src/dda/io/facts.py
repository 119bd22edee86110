"""What is true of an image file, read from its bytes as anybody would: the audit compares it between the classes."""

from io import BytesIO
from typing import Any

from PIL import Image

from dda.core.jpeg import JpegFacts, jpeg_facts
from dda.io import photos


def stored(content: bytes) -> dict[str, Any]:
    """Format, size in pixels, number of channels and, for a JPEG, how it is compressed.

    Raises OSError or ValueError for what is no image of a known format.
    """
    with Image.open(BytesIO(content), formats=photos.OPENED_FORMATS) as image:
        jpeg = jpeg_facts(image) if image.format in photos.JPEG_FORMATS else None
        return told(str(image.format), (image.height, image.width, len(image.getbands())), jpeg)


def of_photo(photo: photos.Photo) -> dict[str, Any]:
    """The same of a file that was decoded already, and not converted."""
    height, width, *channels = photo.pixels.shape
    return told(photo.format, (height, width, *(channels or [1])), photo.jpeg)


def told(image_format: str, shape: tuple[int, ...], jpeg: JpegFacts | None) -> dict[str, Any]:
    """Facts by their names; those of compression are None for what is no JPEG. `shape` is height, width, channels."""
    return {
        "format": "JPEG" if jpeg else image_format,
        "width": shape[1],
        "height": shape[0],
        "channels": shape[2],
        "jpeg_quality": jpeg.quality if jpeg else None,
        "jpeg_tables": jpeg.tables_digest if jpeg else None,
        "subsampling": jpeg.subsampling if jpeg else None,
        "progressive": jpeg.progressive if jpeg else None,
    }
