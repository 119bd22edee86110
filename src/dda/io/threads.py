"""Work of threads, in order: later items are under way while an earlier one is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(threads: Executor, function: Callable[[Item], Result], items: Iterable[Item], limit: int) -> Iterator[Result]:
    """`function` of each item, in the order of the items; so many at most are under way or waiting to be taken.

    Those that nobody will take, after an error or because the caller stops, are not begun any more.
    """
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(threads.submit(function, item))
            if len(under_way) >= limit:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
