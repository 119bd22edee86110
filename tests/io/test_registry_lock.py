"""The lock of the registry: one writer at a time, whoever dies; its holder is told."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from dda.core.errors import SetupError
from dda.io import registry_lock
from dda.io.registry import Registry
from dda.io.registry_lock import LEASE_S, Holder, began
from tests.registries import MODEL, Stopped, fail

LOCK = f"{MODEL}.lock"
HOLD = """
import sys, time
from dda.io.registry import Registry
with Registry("dda-detector").locked("hold it"):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture
def registry(in_store, monkeypatch):
    monkeypatch.setattr(registry_lock, "POLL_S", 0.1)
    return Registry.open(MODEL)


def another(seconds):
    """Another process that has the lock for so long."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def put(registry, **changes):
    """A lock as somebody has left it."""
    told = {"owner": "o1", "host": socket.gethostname(), "pid": os.getpid(), "began": began(os.getpid())}
    told |= {"since_s": time.time(), "doing": "promote version 3", **changes}
    registry.client.create_registered_model(LOCK, tags={name: str(value) for name, value in told.items()})


def locks(registry):
    return [one.name for one in registry.client.search_registered_models() if ".lock" in one.name]


def test_the_lock_is_there_during_the_block_and_gone_after_it(registry):
    with registry.locked("look"):
        assert locks(registry) == [LOCK]
        assert registry.client.get_registered_model(LOCK).tags["doing"] == "look"
    assert locks(registry) == []


def test_the_lock_is_given_back_where_the_block_fails(registry):
    with pytest.raises(RuntimeError, match="broken"), registry.locked("break"):
        raise RuntimeError("broken")
    assert locks(registry) == []


def test_a_second_process_waits_until_the_first_is_done(registry):
    other = another(1.5)
    began_s = time.monotonic()
    with registry.locked("after it"):
        assert other.wait() == 0
    assert time.monotonic() - began_s > 0.5


def test_who_waits_for_too_long_is_told_who_holds_it_and_since_when(registry):
    other = another(60)
    with pytest.raises(SetupError, match=rf"held by process {other.pid} on .*, since .* UTC: hold it"):
        registry.locked("promote", wait_s=0.3).__enter__()
    assert locks(registry) == [LOCK]
    other.kill()
    other.wait()


def test_what_a_killed_process_has_left_is_taken_over(registry):
    other = another(60)
    other.send_signal(signal.SIGKILL)
    other.wait()
    with registry.locked("after a death", wait_s=0):
        assert registry.client.get_registered_model(LOCK).tags["doing"] == "after a death"
    assert locks(registry) == []


def test_a_pid_that_came_again_is_another_process(registry):
    put(registry, began="1")
    with registry.locked("after a death", wait_s=0):
        assert locks(registry) == [LOCK]


def test_what_this_very_process_could_not_give_back_is_taken_over(registry):
    put(registry)
    with registry.locked("again", wait_s=0):
        assert locks(registry) == [LOCK]


def test_the_lock_of_another_machine_is_left_alone_for_its_lease(registry):
    put(registry, host="elsewhere", since_s=time.time() - LEASE_S + 60)
    with pytest.raises(SetupError, match=r"held by process .* on elsewhere.*: promote version 3"):
        registry.locked("promote", wait_s=0).__enter__()
    assert locks(registry) == [LOCK]


def test_the_lock_of_another_machine_is_taken_over_after_its_lease(registry):
    put(registry, host="elsewhere", since_s=time.time() - LEASE_S - 1)
    with registry.locked("promote", wait_s=0):
        assert registry.client.get_registered_model(LOCK).tags["host"] == socket.gethostname()
    assert locks(registry) == []


def test_whoever_takes_over_does_not_take_the_lock_of_one_who_was_faster(registry):
    """The holder that was seen is gone, but the lock is by now that of a living one."""
    put(registry, owner="living", host="elsewhere")
    registry_lock._take_away(registry.client, LOCK)
    assert registry.client.get_registered_model(LOCK).tags["owner"] == "living"


def test_a_store_that_is_away_when_the_lock_is_given_back_hides_no_error_and_the_next_one_takes_it(registry):
    client = registry.client

    def break_off():
        with registry.locked("break"):
            client.get_registered_model = lambda name: fail()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        break_off()
    del client.get_registered_model
    assert locks(registry) == [LOCK]
    with registry.locked("again", wait_s=0):
        assert locks(registry) == [LOCK]
    assert locks(registry) == []


def test_a_takeover_that_is_cut_off_leaves_a_lock_that_the_next_one_takes(registry):
    put(registry, began="1")
    client = registry.client
    for number in range(1, 6):
        registry.client = Stopped(client, number, fail)
        with pytest.raises(SetupError, match="away"):
            registry.locked("cut off", wait_s=0).__enter__()
    registry.client = client
    with registry.locked("again", wait_s=0):
        assert LOCK in locks(registry)
    assert locks(registry) == []


def test_several_processes_never_hold_it_at_once(registry, tmp_path):
    """Each adds one to a number in a file, slowly."""
    add = """
import pathlib, time
from dda.io import registry_lock
registry_lock.POLL_S = 0.05
from dda.io.registry import Registry
counter = pathlib.Path("counter")
registry = Registry("dda-detector")
for _ in range(3):
    with registry.locked("add"):
        n = int(counter.read_text()); time.sleep(0.05); counter.write_text(str(n + 1))
"""
    (tmp_path / "counter").write_text("0")
    others = [subprocess.Popen([sys.executable, "-c", add]) for _ in range(2)]
    assert [one.wait() for one in others] == [0, 0]
    assert (tmp_path / "counter").read_text() == "6"


def test_a_process_is_known_by_when_it_began():
    assert began(os.getpid()) == began(os.getpid()) != began(1)
    child = subprocess.Popen([sys.executable, "-c", ""])
    time.sleep(0.3)
    assert began(child.pid) is None  # ended, though nobody has asked for its status
    child.wait()
    assert began(child.pid) is None


def test_a_holder_reads_as_a_sentence():
    told = str(Holder("o", "here", 7, "1", 0.0, "promote version 3"))
    assert told == "process 7 on here, since 1970-01-01 00:00:00 UTC: promote version 3"
