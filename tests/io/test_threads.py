"""Work of threads: in order, never too much of it, and none left over."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dda.io import threads


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as made:
        yield made


def slow_if_even(number):
    time.sleep(0.02 if number % 2 == 0 else 0)
    return number * 10


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_results_come_in_the_order_of_the_items(pool, count, limit):
    assert list(threads.ahead(pool, slow_if_even, range(count), limit)) == [10 * number for number in range(count)]


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_than_so_many_are_under_way_or_waiting(pool, limit):
    begun = []
    for taken, _ in enumerate(threads.ahead(pool, begun.append, iter(range(20)), limit)):
        time.sleep(0.005)
        assert len(begun) <= taken + limit
    assert begun == list(range(20))


def test_later_items_are_worked_on_while_an_earlier_one_is_used(pool):
    two_at_once = threading.Barrier(2, timeout=10)
    assert len(list(threads.ahead(pool, lambda _: two_at_once.wait(), range(2), 2))) == 2


def test_an_error_comes_in_the_place_of_its_result(pool):
    results = threads.ahead(pool, lambda number: 1 // number, [1, 1, 0, 1, 1], 3)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_error_of_the_items_comes_at_once(pool):
    def items():
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(threads.ahead(pool, slow_if_even, items(), 4))


@pytest.mark.parametrize("stop", ["close", "error"])
def test_what_nobody_will_take_is_not_begun(stop):
    begun, go_on = [], threading.Event()

    def work(number):
        begun.append(number)
        if number == 1:
            assert go_on.wait(10)
        return 1 // (number if stop == "error" else 1)

    with ThreadPoolExecutor(1) as pool:
        results = threads.ahead(pool, work, range(8), 8)
        if stop == "error":
            with pytest.raises(ZeroDivisionError):
                next(results)
        else:
            next(results)
            results.close()
        go_on.set()
    assert set(begun) <= {0, 1}
    assert not any(thread.name.startswith("ThreadPoolExecutor") for thread in pool._threads if thread.is_alive())


def test_threads_feed_one_another_without_waiting_for_ever(pool):
    """As shards are made: opened in threads, used here, encoded in the same threads."""
    opened = threads.ahead(pool, slow_if_even, range(30), 2)
    encoded = threads.ahead(pool, slow_if_even, (number + 1 for number in opened), 16)
    assert list(encoded) == [10 * (10 * number + 1) for number in range(30)]
