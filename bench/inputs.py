"""What benchmarks work on, and where."""

import math
import sys
from pathlib import Path

from PIL import Image

from dda.io import devices


def photos_of(photos: str, count: int, folder: Path, size: str = "") -> list[str]:
    """Paths of so many photos of a folder, or of the `embedded` ones, resized to `size` (640x480) where it is given."""
    if photos == "embedded":
        from dda.embedded.photos import tiles

        source = folder / "photos"
        source.mkdir()
        for name, content in tiles():
            (source / name).write_bytes(content)
    else:
        source = Path(photos).resolve()
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not found:
        sys.exit(f"no photos in {source}: name another folder")
    chosen = repeated([str(path) for path in found[:: max(1, len(found) // count)]], count)
    if not size:
        return chosen
    resized = folder / "resized"
    resized.mkdir()
    for number, path in enumerate(chosen):
        with Image.open(path) as image:
            image.convert("RGB").resize(tuple(map(int, size.split("x")))).save(resized / f"{number}.jpg", quality=95)
    return [str(path) for path in sorted(resized.iterdir())]


def repeated(photos: list[str], count: int) -> list[str]:
    """So many photos, taking all of them again and again."""
    return [photos[number % len(photos)] for number in range(count)]


def described(photos: list[str]) -> str:
    """How large the photos are."""
    pixels = []
    for path in photos:
        with Image.open(path) as image:
            pixels.append(image.width * image.height)
    return f"{math.fsum(pixels) / len(pixels) / 1e6:.2f} megapixels on average"


def machine() -> str:
    """What this runs on."""
    import torch

    name = torch.cuda.get_device_name() if devices.gpus() else torch.cpu.get_capabilities().get("cpu_name", "CPU")
    return f"{name}, {devices.cores()} cores, torch {torch.__version__}"
