"""A large file arrives whole, whatever the server, the network or the disk do, or is refused in a sentence."""

import hashlib
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dda.core.errors import SetupError
from dda.io import downloads, progress
from tests.web import serving

PIECE = 10 * 2**20  # in which http_get writes to the disk
N_BYTES = 24 * 10**6
FETCH = """
import json, sys
from pathlib import Path
from dda.io import downloads
downloads.fetch(json.loads(sys.argv[1]), Path(sys.argv[2]))
"""


class Handler(BaseHTTPRequestHandler):
    """Serves one file by ranges, and misbehaves as the server's attributes say."""

    def do_GET(self):
        site = self.server
        site.requests.append(dict(self.headers))
        if site.status != 200:
            self.send_error(site.status)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if site.ranges else 0
        self.send_response(206 if "Range" in self.headers and site.ranges else 200)
        if "Range" in self.headers and site.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
        self.send_header("Content-Length", str(len(site.content) - start))
        self.end_headers()
        self.send(site, memoryview(site.content)[start:])

    def send(self, site, content):
        cut = site.cuts.pop(0) if site.cuts else None
        self.wfile.write(content[:cut])
        if cut and site.hold:
            site.held.set()
            site.let_go.wait(30)
        if cut and site.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if cut:
            self.connection.close()
            self.close_connection = True

    def handle(self):
        try:
            super().handle()
        except (OSError, ValueError):  # the other side, or a cut of ours, has closed the connection
            self.close_connection = True

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def content():
    return random.Random(0).randbytes(N_BYTES)


@pytest.fixture
def site(content):
    """A server of the content; `address`, `requests`, and the ways in which it misbehaves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.status, server.ranges, server.reset, server.hold = content, 200, True, False, False
    server.cuts, server.requests = [], []
    server.held, server.let_go = threading.Event(), threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}/photos.zip"
    with serving(server):
        yield server


@pytest.fixture
def row(site, content):
    return row_of(site.address, content)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "downloads" / "photos.zip"


@pytest.fixture
def impatient(monkeypatch):
    """Retries follow at once."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("no mount command")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def row_of(address, content):
    return {
        "address": address,
        "size_bytes": len(content),
        "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }


def ranges(site):
    return [headers.get("Range") for headers in site.requests]


def refusal(*words):
    with pytest.raises(SetupError) as refused:
        downloads.fetch(*words)
    return str(refused.value)


def test_a_file_arrives_whole(site, row, target, content):
    downloads.fetch(row, target)
    assert target.read_bytes() == content
    assert not downloads.part_of(target).exists()
    assert ranges(site) == [None]


def test_no_token_reaches_the_server(site, row, target, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    downloads.fetch(row, target)
    assert "secret" not in str(site.requests)
    assert {"authorization", "cookie"} & {name.lower() for name in site.requests[0]} == set()


def test_a_connection_cut_in_the_middle_is_taken_up_where_it_broke(site, row, target, content, impatient):
    site.cuts = [PIECE + 1000, PIECE // 2]
    downloads.fetch(row, target)
    assert target.read_bytes() == content
    assert ranges(site) == [None, f"bytes={PIECE}-", f"bytes={PIECE}-"]


def test_a_connection_that_is_reset_is_taken_up_too(site, row, target, content):
    site.cuts, site.reset, site.hold = [2 * PIECE + 1000], True, True
    threading.Timer(0.5, site.let_go.set).start()
    downloads.fetch(row, target)
    assert target.read_bytes() == content
    assert ranges(site) == [None, f"bytes={2 * PIECE}-"]


def test_a_killed_process_loses_nothing_that_had_arrived(site, row, target, content):
    site.cuts, site.hold = [2 * PIECE + 1000], True
    process = subprocess.Popen([sys.executable, "-c", FETCH, json.dumps(row), target])
    assert site.held.wait(30)
    while downloads.arrived_bytes(target) < 2 * PIECE:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9
    downloads.fetch(row, target)
    assert target.read_bytes() == content
    assert ranges(site) == [None, f"bytes={2 * PIECE}-"]


def test_a_server_that_ignores_ranges_is_asked_for_all_again(site, row, target, content):
    target.parent.mkdir()
    downloads.part_of(target).write_bytes(b"what was there before")
    site.ranges = False
    downloads.fetch(row, target)
    assert target.read_bytes() == content


def test_a_mirror_goes_on_with_what_came_from_elsewhere(site, row, target, content):
    target.parent.mkdir()
    downloads.part_of(target).write_bytes(content[:1000])
    downloads.fetch(row | {"address": "http://nowhere.invalid/"}, target, site.address)
    assert target.read_bytes() == content
    assert ranges(site) == ["bytes=1000-"]


def test_what_is_complete_is_verified_and_not_asked_for_again(site, row, target, content):
    target.parent.mkdir()
    downloads.part_of(target).write_bytes(content)
    downloads.fetch(row, target)
    downloads.fetch(row, target)
    assert site.requests == []


def test_a_wrong_checksum_is_told_and_the_next_run_starts_afresh(site, row, target, content):
    site.content = bytes(len(content))
    assert "its sha256 is " in (message := refusal(row, target))
    assert "it was deleted, so the next run downloads it afresh" in message
    assert not list(target.parent.iterdir())
    site.content = content
    downloads.fetch(row, target)
    assert ranges(site) == [None, None]


def test_a_zip_that_was_damaged_on_the_disk_is_told_and_deleted(row, target, content):
    target.parent.mkdir()
    target.write_bytes(b"x" + content[1:])
    assert "photos.zip is damaged or another file" in refusal(row, target)
    assert not target.exists()


@pytest.mark.parametrize("wrong", [(1000, "is 1000 bytes long, not 24000000"), (-1, "more than the 24000000 bytes")])
def test_a_file_of_another_size_is_told_and_deleted(wrong, site, row, target, content):
    n_bytes, said = wrong
    site.content = (content + content)[:n_bytes]
    assert said in refusal(row, target)
    assert not list(target.parent.iterdir())


def test_more_than_the_file_can_have_is_thrown_away(row, target, content):
    target.parent.mkdir()
    downloads.part_of(target).write_bytes(content + b"more")
    downloads.fetch(row, target)
    assert target.read_bytes() == content


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_what_a_server_answers_is_told(status, site, row, target):
    site.status = status
    message = refusal(row, target)
    assert message.startswith(f"{site.address} answers {status} ")
    assert message.endswith("run this again later, or name a mirror by --address")


def test_a_server_whose_file_is_shorter_than_what_arrived_has_another_file(site, row, target):
    target.parent.mkdir()
    downloads.part_of(target).write_bytes(bytes(1000))
    site.status = 416
    assert "is shorter than what has arrived, so it is another file; it was deleted" in refusal(row, target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("host", ["nowhere.invalid", "127.0.0.1:1"])
def test_a_host_that_is_away_is_told_and_what_arrived_is_kept(host, row, target, content, impatient):
    target.parent.mkdir()
    downloads.part_of(target).write_bytes(content[:5000])
    message = refusal(row, target, f"http://{host}/photos.zip")
    assert f"no connection to {host.partition(':')[0]}: run this again later" in message
    assert "the 5.0 kB that have arrived are kept" in message
    assert downloads.arrived_bytes(target) == 5000


def test_nothing_is_asked_for_where_the_hub_is_set_offline(site, row, target):
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", FETCH, json.dumps(row), target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "since HF_HUB_OFFLINE is set: unset it, or name a folder of photos" in done.stderr
    assert site.requests == []


@pytest.mark.parametrize(
    "address", ["photos.zip", "ftp://x/y", "file:///etc/passwd", "http://", "http://x:port/", "s3://x"]
)
def test_what_is_no_web_address_is_told(address, row, target):
    assert "is no address of a zip" in refusal(row, target, address)


def test_an_address_with_a_password_is_refused_without_repeating_it(row, target):
    message = refusal(row, target, "http://me:secret@example.org/photos.zip")
    assert "holds a password" in message
    assert "secret" not in message


def test_a_full_disk_is_told_and_what_arrived_is_kept(row, small_disk, content):
    target = small_disk / "photos.zip"
    message = refusal(row, target)
    assert message.startswith("the disk is full: photos.zip needs 24.0 MB in ")
    assert "0 bytes are free; what has arrived is kept" in message
    arrived = downloads.part_of(target).read_bytes()
    assert len(arrived) > 900_000
    assert content.startswith(arrived)


def test_room_is_looked_for_on_every_disk_before_anything_starts(small_disk, tmp_path):
    downloads.check_free("photos", [(small_disk / "a/b", 10**6), (tmp_path / "c", 10**6)])
    needs = [(small_disk / "a", 6 * 10**5), (tmp_path / "c", 10**6), (small_disk / "b", 6 * 10**5)]
    with pytest.raises(SetupError, match=r"not enough room for photos: 1\.2 MB are needed on the disk") as refused:
        downloads.check_free("photos", needs)
    assert f"holds {small_disk}, 1.0 MB are free" in str(refused.value)


def test_a_log_gets_lines_with_amount_speed_and_time_left(row, target, capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0)
    downloads.fetch(row, target)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("photos.zip: ")]
    assert lines[0].startswith("photos.zip: 10.5 MB of 24.0 MB, ")
    assert lines[-1].endswith(" a second, 0 s left")


def test_amounts_are_written_for_people():
    amounts = [downloads.amount(n_bytes) for n_bytes in (0, 999, 1000, 815585330, 19336861798)]
    assert amounts == ["0 bytes", "999 bytes", "1.0 kB", "815.6 MB", "19.3 GB"]
