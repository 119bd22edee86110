"""A bounded number of threads and of requests that wait for them: whoever comes when it is full is told at once."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")
THREADS = "dda-desk"


class Busy(Exception):
    """There is no room for another request now, or it took too long; the message says which."""


class Desk:
    """Work for threads, from the coroutines of one event loop: `n_threads` at once, `n_waiting` more in line."""

    def __init__(self, n_threads: int, n_waiting: int, held_bytes: int) -> None:
        self.n_places = n_threads + n_waiting
        self.n_taken = 0
        self.free_bytes = held_bytes
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix=THREADS)

    def hold(self, n_bytes: int) -> None:
        """Count bytes that come into memory, negative ones that leave it. Raises Busy where there is no room."""
        if n_bytes > self.free_bytes:
            raise Busy("other requests fill the memory that this server may use: try again in a moment")
        self.free_bytes -= n_bytes

    async def answer(self, work: Callable[[float], Answer], limit_s: float) -> Answer:
        """What `work` gives in a thread; it is told by when (of time.monotonic) nobody waits any more.

        Raises Busy where the line is full, or the time is over; a thread that still works keeps its place until its
        end, so that there are never more than `n_threads` at work.
        """
        if self.n_taken >= self.n_places:
            raise Busy("too many requests are waiting: try again in a moment")
        loop = asyncio.get_running_loop()
        self.n_taken += 1
        future: Future[Answer] = self._pool.submit(work, time.monotonic() + limit_s)
        future.add_done_callback(lambda _: _tell(loop, self._leave))
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise Busy(f"there was no answer after {limit_s:g} seconds: try fewer images, or fewer views") from error
        except asyncio.CancelledError as error:  # only the end of the server cancels requests
            raise Busy("the server is stopping") from error

    def close(self) -> bool:
        """Take no more work, forget what waits; whether a thread is still at work."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        return self.n_taken > 0

    def _leave(self) -> None:
        self.n_taken -= 1


def _tell(loop: asyncio.AbstractEventLoop, change: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(change)
