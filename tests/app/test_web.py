"""`dda web`: one line with the address, mistakes in sentences, and an end at once."""

import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from dda.app import web
from dda.core.errors import SetupError
from dda.io import listening
from tests.page_server import PHOTOS, ask, encoded, fitted_detector, form


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("detector") / "small"
    fitted_detector(found)
    return found


def command(*options):
    return [sys.executable, "-m", "dda", "web", *map(str, options)]


def asked_in_vain(port, body_and_headers):
    with suppress(OSError, http.client.HTTPException):
        ask(port, "POST", "/api/detect", *body_and_headers)


def test_it_says_where_it_is_logs_nothing_of_images_and_ends_at_once(folder):
    process = subprocess.Popen(
        command("--model", folder, "--port", 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        port = int(re.fullmatch(r"small answers at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)\n", line)[1])
        status, _, answer = ask(port, "POST", "/api/detect", *form([("secret.jpg", encoded(PHOTOS[0]))]))
        assert (status, answer["model"]) == (200, "small")
        assert ask(port, "GET", "/api/model")[2]["card"] == "# card of small"
        heavy = form([encoded(photo) for photo in PHOTOS] * 6, views="tiles", heatmap="true")
        threading.Thread(target=asked_in_vain, args=(port, heavy), daemon=True).start()
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
        cases = [
            (folder, web.Place(port=port), f"port {port}: address already in use. Choose another one by --port"),
            (tmp_path / "gone", web.Place(port=0), "no detector in"),
            (folder, web.Place("nowhere.invalid"), "cannot listen on nowhere.invalid"),
        ]
        for model, place, told in cases:
            with pytest.raises(SetupError, match=re.escape(told)):
                web.run(model, place, web.Limits())


def test_whoever_lets_others_in_is_told_what_that_means(folder, monkeypatch, capsys):
    monkeypatch.setattr(web, "_serve", lambda app, limits, listener: None)
    web.run(folder, web.Place("0.0.0.0", 0), web.Limits())
    assert "everybody who reaches this machine can use it" in capsys.readouterr().err
    web.run(folder, web.Place("127.0.0.1", 0), web.Limits())
    assert capsys.readouterr().err == ""
