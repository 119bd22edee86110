"""Progress: lines in a log, a bar on a terminal, whatever is counted and in whatever direction."""

import os
import re
import struct
import subprocess
import sys

import pytest

from dda.io import progress

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Time:
    """A clock that stands still until it is told to go on."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Time()
    monkeypatch.setattr(progress, "time", made)
    return made


def logged(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    return told.err.splitlines()


# --- in a log


def test_a_log_has_a_line_every_ten_seconds_with_speed_and_time_left(clock, capsys):
    with progress.shown("reconstruct tiny", 100, "photos") as advance:
        for _ in range(26):
            clock.now += 1
            advance(2)
    assert logged(capsys) == [
        "reconstruct tiny: 20 of 100 photos, 2.0 a second, 40 s left",
        "reconstruct tiny: 40 of 100 photos, 2.0 a second, 30 s left",
    ]


def test_the_speed_is_counted_from_the_first_that_is_done(clock, capsys):
    """What a model takes to load would make the first lines wrong."""
    with progress.shown("train", 20) as advance:
        clock.now += 500
        for _ in range(11):
            advance(1)
            clock.now += 4
    assert logged(capsys)[-1] == "train: 11 of 20, 0.2 a second, 36 s left"


def test_a_log_of_little_work_stays_empty(clock, capsys):
    with progress.shown("index", 3) as advance:
        advance(1)
        clock.now += 9.9
        advance(2)
    assert logged(capsys) == []


@pytest.mark.parametrize("counts", [[], [0, 0], [0, 5], [5], [5, 0, 0], [7, -7, 0, 3], [1, -1, 1, -1], [50, 50]])
@pytest.mark.parametrize("step_s", [0.0, 11.0])
def test_no_count_at_any_moment_breaks_a_log(clock, capsys, counts, step_s):
    with progress.shown("work", 0, "photos") as advance:
        for count in counts:
            clock.now += step_s
            advance(count)
    assert all(re.fullmatch(r"work: \d+ of 0 photos, \d+\.\d a second, -?\d+ s left", line) for line in logged(capsys))


def test_what_a_lost_worker_had_done_is_taken_back(clock, capsys):
    with progress.shown("work", 40, "photos") as advance:
        for count in (10, 10, -10, 10):
            advance(count)
            clock.now += 10
    assert logged(capsys) == [
        "work: 20 of 40 photos, 1.0 a second, 20 s left",
        "work: 20 of 40 photos, 0.3 a second, 60 s left",
    ]


def test_items_pass_through_in_order_and_are_counted(clock, capsys):
    seen = []
    for item in progress.tracked("abcdefgh", "letters"):
        seen.append(item)
        clock.now += 4
    assert seen == list("abcdefgh")
    assert logged(capsys)[0] == "letters: 3 of 8, 0.2 a second, 20 s left"


def test_an_error_of_the_work_comes_through(capsys):
    with pytest.raises(OSError, match="of the work"), progress.shown("work", 3):
        raise OSError("of the work")


# --- on a terminal

BAR = """
import sys, time
from dda.io import progress
with progress.shown(sys.argv[1], 500, "photos") as advance:
    for _ in range(5):
        time.sleep(0.05)
        advance(100)
    print("a worker was lost", file=sys.stderr)
    advance(-100)
    time.sleep(0.3)
    print("to standard output")
    advance(100)
"""


def on_terminal(columns, name, code=BAR):
    """What a program writes to a terminal that is so wide, and to a standard output that is none."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment["TERM"] = "xterm-256color"
    with subprocess.Popen(
        [sys.executable, "-c", code, name], stderr=theirs, stdout=subprocess.PIPE, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # Linux says so where the other end is closed
            pass
        os.close(ours)
        printed = process.stdout.read().decode()
    assert process.returncode == 0, written.decode()
    return ESCAPES.sub("", written.decode()), printed


def test_a_terminal_sees_a_bar_with_speed_and_time_left():
    shown, printed = on_terminal(80, "reconstruct sd35-large")
    drawn = [line for line in re.split(r"[\r\n]+", shown) if line.startswith("reconstruct")]
    assert all(len(line) <= 80 for line in drawn)
    assert re.fullmatch(r"reconstruct sd35-large ━+ +500/500 photos \d+\.\d a second 0:00:00 *", drawn[-1])
    assert any(" 400/500 photos " in line for line in drawn)
    assert "a worker was lost" in shown
    assert printed == "to standard output\n"


def test_the_bar_shows_names_as_they_are():
    assert "photos[b]{0}.zip" in on_terminal(120, "photos[b]{0}.zip")[0]


def test_a_bar_of_nothing_is_no_error():
    nothing = "from dda.io import progress\nfor _ in progress.tracked([], 'nothing'): pass"
    assert "0/0" in on_terminal(80, "nothing", nothing)[0]
