"""`dda web`: one line with the address, mistakes in sentences, and an end at once."""

import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from dda.io import listening
from tests.page_server import PHOTOS, ask, encoded, form, small_detector


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("detector") / "small"
    small_detector(found)
    return found


def command(*options):
    return [sys.executable, "-m", "dda", "web", *map(str, options)]


def test_it_says_where_it_is_logs_nothing_of_images_and_ends_at_once(folder):
    process = subprocess.Popen(
        command("--model", folder, "--port", 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        port = int(re.fullmatch(r"small answers at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)\n", line)[1])
        status, _, answer = ask(port, "POST", "/api/detect", *form([("secret.jpg", encoded(PHOTOS[0]))]))
        assert (status, answer["model"]) == (200, "small")
        assert ask(port, "GET", "/api/model")[2]["card"] == "# card"
        heavy = form([encoded(photo) for photo in PHOTOS] * 6, views="tiles", heatmap="true")
        at_work = threading.Thread(target=lambda: pytest.raises(OSError, ask, port, "POST", "/api/detect", *heavy))
        at_work.daemon = True
        at_work.start()
        time.sleep(0.2)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - begun < 6
        assert out == ""
        assert "secret" not in err
        assert "POST" not in err
        assert "Traceback" not in err
    finally:
        process.kill()


def test_a_port_that_is_taken_and_a_detector_that_is_absent_are_told(folder, tmp_path):
    with listening.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        cases = {
            ("--model", folder, "--port", port): "already in use. Choose another one by --port",
            ("--model", tmp_path / "gone", "--port", 0): "no detector in",
            ("--model", folder, "--host", "nowhere.invalid"): "cannot listen on nowhere.invalid",
        }
        for options, told in cases.items():
            done = subprocess.run(command(*options), capture_output=True, text=True, check=False, timeout=60)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith("dda: ")
            assert told in done.stderr
            assert "Traceback" not in done.stderr
