"""Commands of a flow: streamed, limited, killed as a group, and what their failures mean."""

import sys
import time

import pytest
from prefect import flow

from flows import commands
from flows.commands import TIMED_OUT, CommandError
from tests.flows.test_leash import gone, is_alive

pytestmark = pytest.mark.usefixtures("server")


def python(code):
    return [sys.executable, "-u", "-c", code]


def ran(code, limit_s=30.0, seen=None):
    """Run Python code as a command within a flow, as every command of ours runs."""

    @flow
    def one():
        return commands.run("it", python(code), limit_s, seen)

    return one()


def test_lines_come_while_the_command_runs():
    moments = []
    ran("import time; print('one'); time.sleep(1); print('two')", seen=lambda line: moments.append((line, time.time())))
    assert [line for line, _ in moments] == ["one", "two"]
    assert moments[1][1] - moments[0][1] > 0.5


def test_a_failure_tells_the_status_and_the_last_lines():
    with pytest.raises(CommandError, match=r"it failed: exit status 3(?s:.*)line 99") as caught:
        ran("import sys\nfor n in range(100): print('line', n)\nsys.exit(3)")
    assert caught.value.status == 3
    assert caught.value.lines == [f"line {n}" for n in range(80, 100)]


def test_bytes_that_are_no_text_break_nothing():
    assert ran(r"import sys; sys.stdout.buffer.write(b'caf\xe9\n')") == ["caf\ufffd"]


def test_past_its_time_a_command_dies_with_its_children():
    child = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    lines = []
    with pytest.raises(CommandError, match="ran past its time limit") as caught:
        ran(f"{child}; print(p.pid); p.wait()", limit_s=1.5, seen=lines.append)
    assert caught.value.status == TIMED_OUT
    assert not caught.value.crashed
    assert gone(int(lines[0]))


def test_what_a_command_leaves_behind_is_killed_and_holds_nothing_up():
    """It holds the pipe, so that reading to its end would wait for it."""
    lines, began = [], time.monotonic()
    ran("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)", seen=lines.append)
    assert time.monotonic() - began < 20
    assert gone(int(lines[0]))


def test_a_cancelled_flow_kills_what_runs():
    def seen(line):
        seen.pid = int(line)
        commands.kill_all()

    with pytest.raises(CommandError):
        ran("import os, time; print(os.getpid()); time.sleep(60)", seen=seen)
    assert not is_alive(seen.pid)


def test_an_answer_is_standard_output_alone():
    @flow
    def one():
        return commands.answer(
            "it", python("import sys; print('{}'); print('noise', file=sys.stderr); sys.exit(1)"), 30, (0, 1)
        )

    assert one() == "{}\n"


@pytest.mark.parametrize(
    ("status", "line", "crashed", "away"),
    [
        (1, "ERROR: failed to reproduce 'train@x': failed to run: dda train x, exited with 2", False, False),
        (1, "ERROR: failed to reproduce 'audit@x': failed to run: dda audit x, exited with 1", False, False),
        (255, "ERROR: failed to reproduce 'train@x': failed to run: dda train x, exited with -9", True, True),
        (255, "ERROR: failed to reproduce 'train@x': failed to run: dda train x, exited with 137", True, True),
        (137, "", True, True),
        (1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20 MiB", True, False),
        (2, "dda: no answer from http://127.0.0.1:9 for s3://x (EndpointConnectionError)", False, True),
        (2, "dda: no VAE 'sd2l' in the catalog", False, False),
        (TIMED_OUT, "", False, False),
    ],
)
def test_failures_that_a_second_try_may_mend_are_known(status, line, crashed, away):
    error = CommandError("it", status, [line])
    assert (error.crashed, error.away) == (crashed, away)
