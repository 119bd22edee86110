"""Pillow's global buffer size, on which the bytes of a PNG depend: many threads may rely on it, one may enlarge it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from PIL import ImageFile

_CHANGED = Condition()
_COUNTS = {"users": 0, "waiting": 0}


@contextmanager
def steady() -> Iterator[None]:
    """A block in which the buffer keeps the size that it always has: PNG chunks are as long as the buffer."""
    with _CHANGED:
        _CHANGED.wait_for(lambda: not _COUNTS["waiting"])  # else whoever wants to enlarge it might wait for ever
        _COUNTS["users"] += 1
    try:
        yield
    finally:
        with _CHANGED:
            _COUNTS["users"] -= 1
            _CHANGED.notify_all()


@contextmanager
def enlarged(size_bytes: int) -> Iterator[None]:
    """A block, alone with the buffer, in which it holds so many bytes: a progressive JPEG is written in one piece."""
    with _CHANGED:
        _COUNTS["waiting"] += 1
        _CHANGED.wait_for(lambda: not _COUNTS["users"])
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, size_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before
            _COUNTS["waiting"] -= 1
            _CHANGED.notify_all()
