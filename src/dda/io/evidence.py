"""The evidence of image files, read from their bytes by threads, for the audit."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dda.core import audits
from dda.core.audits import Evidence
from dda.io import devices, facts, photos, progress, threads

Item = TypeVar("Item")
Found = TypeVar("Found")
MAX_PIXELS = 200_000_000
AHEAD = 4  # images under way or waiting, for each thread


def read(content: bytes) -> Evidence:
    """What the audit's probes see of an image file. Raises PhotoRejected where it cannot be used, with the reason."""
    pixels = photos.decode_any(content, MAX_PIXELS)
    try:
        return audits.evidence(facts.stored(content), len(content), pixels)
    except ValueError as error:
        raise photos.PhotoRejected(str(error)) from error


def gathered(
    readers: Mapping[str, Callable[[Item], Found]], items: Sequence[Item], name: str
) -> dict[str, list[Found]]:
    """What each reader gives of each item, in order; work of threads, whose progress is shown."""
    found: dict[str, list[Found]] = {}
    total = len(readers) * len(items)
    with progress.shown(name, total, "images") as advance, ThreadPoolExecutor(devices.cores()) as pool:
        for key, reader in readers.items():
            found[key] = []
            for one in threads.ahead(pool, reader, items, AHEAD * devices.cores()):
                found[key].append(one)
                advance(1)
    return found
