"""Pillow's global buffer: many rely on it at once, one enlarges it alone, and it is always what it was."""

import threading
import time

import pytest
from PIL import ImageFile

from dda.core import buffers

SIZE = ImageFile.MAXBLOCK


def test_the_buffer_is_enlarged_inside_and_what_it_was_outside():
    with buffers.enlarged(5 * SIZE):
        assert ImageFile.MAXBLOCK == 5 * SIZE
    with buffers.enlarged(1):
        assert ImageFile.MAXBLOCK == SIZE
    with pytest.raises(ZeroDivisionError), buffers.enlarged(5 * SIZE):
        raise ZeroDivisionError
    assert ImageFile.MAXBLOCK == SIZE


def test_many_threads_rely_on_it_at_once():
    inside = threading.Barrier(4, timeout=10)

    def rely():
        with buffers.steady():
            inside.wait()

    threads = [threading.Thread(target=rely) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken


def test_nobody_who_relies_on_it_ever_sees_it_enlarged():
    seen, stop = [], threading.Event()

    def rely():
        while not stop.is_set():
            with buffers.steady():
                seen.append(ImageFile.MAXBLOCK)
                time.sleep(0.0005)
                seen.append(ImageFile.MAXBLOCK)

    threads = [threading.Thread(target=rely) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        with buffers.enlarged(3 * SIZE):
            assert ImageFile.MAXBLOCK == 3 * SIZE
            time.sleep(0.0005)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(seen) > 20
    assert set(seen) == {SIZE}
