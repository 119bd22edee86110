"""The web server: answers as Python does, keeps to its limits, and does nothing on behalf of anybody else."""

import socket
import struct
import sys
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from dda.core.cautions import cautions
from dda.core.errors import SetupError
from dda.io import doorkeeper, listening, webserver
from tests.page_server import PHOTOS, ask, encoded, fitted_detector, form, noise, raw, running, written

FILES = [encoded(photo) for photo in PHOTOS]
DETECT = "/api/detect"
ROUTES = ("/", "/static/", "/api/", "/api/detect/", "/api/model/", "/health/", "/openapi.json/")
CLIMBS = (
    *(
        "../../../../../../etc/passwd",
        "..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    ),
    *(
        "..%5c..%5c..%5cetc%5cpasswd",
        "%252e%252e%252fetc%252fpasswd",
        "page.css%00",
        "page.css%00.js",
        "page.css/../page.js",
    ),
    *(
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "....//....//etc/passwd",
        "..;/..;/etc/passwd",
        "page.html",
        "~root",
        "file:///etc/passwd",
    ),
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory, one_thread):
    return fitted_detector(tmp_path_factory.mktemp("detector") / "small")


@pytest.fixture(scope="module")
def port(detector):
    with running(detector) as listening_on:
        yield listening_on


def rows_of(port, images, **options):
    status, _, answer = ask(port, "POST", DETECT, *form(images, **options))
    assert status == 200, answer
    return answer["images"]


def refusal(port, body, headers, path=DETECT):
    """Status and sentence; nothing of the server's inside may stand in it."""
    status, _, answer = ask(port, "POST", path, body, headers)
    assert set(answer) == {"error"}
    assert not any(word in answer["error"] for word in ("Traceback", ".py", "/tmp", "0x", "Error("))
    return status, answer["error"]


@pytest.mark.parametrize("views", ["centre", "five", "tiles"])
@pytest.mark.parametrize("max_fpr", ["", "0.01"])
def test_the_server_says_what_python_says(port, detector, views, max_fpr):
    rate = float(max_fpr) if max_fpr else None
    wanted = [one.as_row() for one in detector.predict(FILES, views=views, max_fpr=rate)]
    found = rows_of(port, FILES, views=views, max_fpr=max_fpr)
    assert [row["verdict"] for row in found] == [row["verdict"] for row in wanted]
    for name in ("probability", "logit", "threshold", "uncertain_from", "uncertain_to", "seen"):
        assert [row[name] for row in found] == pytest.approx([row[name] for row in wanted], abs=1e-4)
    assert {key: found[0][key] for key in ("width", "height", "format")} == {
        "width": 512,
        "height": 512,
        "format": "JPEG",
    }
    assert all("facts" not in row and "heatmap" not in row for row in found)


def test_facts_and_heatmaps_come_when_they_are_asked_for(port):
    broken, good = rows_of(port, [b"no image", FILES[0]], heatmap="true", facts="true")
    assert broken["heatmap"] is None
    assert broken["error"] == "no image in a known format"
    assert good["heatmap"]["image"].startswith("data:image/png;base64,iVBOR")
    assert len(good["heatmap"]["tiles"]) == 64
    assert good["facts"]["jpeg"]["quality"] == 75
    assert good["gauge"] == pytest.approx({"threshold": 0.5, "uncertain_from": 0.2, "uncertain_to": 0.8})


def test_the_server_says_what_it_is_and_what_it_allows(port):
    _, _, about = ask(port, "GET", "/api/model")
    assert (about["name"], about["calibrated"], about["max_fpr"], about["card"]) == ("small", True, [0.01], "# card")
    assert about["limits"]["n_images"] == 20
    assert "calibrated on only 15 real" in about["cautions"][0]
    assert ask(port, "GET", "/health")[2]["status"] == "ok"
    _, _, openapi = ask(port, "GET", "/openapi.json")
    assert set(openapi["paths"]) == {"/health", "/api/model", DETECT}
    assert "multipart/form-data" in openapi["paths"][DETECT]["post"]["requestBody"]["content"]
    assert [ask(port, "GET", path)[0] for path in ("/docs", "/redoc", "/docs/oauth2-redirect")] == [404, 404, 404]


def test_an_uncalibrated_detector_and_the_demonstration_are_told(tmp_path):
    fitted = {"temperature": 1.0, "thresholds": {}, "fitted_on": {"real": 15, "fake": 15}}
    assert "never calibrated" in cautions({"calibration": {**fitted, "temperature": None}})[0]
    assert "coin" in cautions({"calibration": fitted, "data": {"tiny": {}}})[0]
    assert cautions({"calibration": {**fitted, "fitted_on": {"real": 500, "fake": 500}}, "data": {"tiny": {}}}) == []


def test_every_answer_says_what_a_browser_may_do_with_it(port):
    for method, path in [
        ("GET", "/"),
        ("GET", "/static/page.js"),
        ("GET", "/gone"),
        ("POST", DETECT),
        ("GET", "/health"),
    ]:
        _, headers, _ = ask(port, method, path)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' data: blob:;")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert {"set-cookie", "server", "access-control-allow-origin"} & {name.lower() for name in headers} == set()


def test_the_page_names_no_address_of_anybody_else():
    for name, _ in webserver.STATIC.values():
        text = (webserver.PAGE / name).read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text
        assert " style=" not in text
        assert "innerHTML" not in text


@pytest.mark.parametrize("route", ROUTES)
def test_no_path_of_a_request_reaches_the_disk(port, route):
    allowed = {webserver.PAGE / name for name, _ in webserver.STATIC.values()}
    known = {path.read_bytes() for path in allowed}
    for climb in CLIMBS:
        answer = raw(port, f"GET {route}{climb} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status, body = int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]
        assert status in (400, 404) or body in known, climb
        assert b"root:" not in answer
        assert not any(content in answer for content in known) or status == 200


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "..\\..\\x", "a\x00b", "%00", "x" * 2000, "C:\\x", "", "a;b=\\'c"]
)
def test_names_of_files_have_no_effect(port, name, tmp_path, monkeypatch):
    (row,) = rows_of(port, [(name, FILES[0])])
    assert row["path"] is None
    assert row["verdict"] != "unreadable"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", DETECT), ("TRACE", "/"), ("DELETE", "/static/page.js"), ("GET", DETECT), ("POST", "/"), ("CONNECT", "/")],
)
def test_other_methods_are_refused(port, method, path):
    assert ask(port, method, path)[0] == 405


def test_head_answers_without_a_body(port):
    status, headers, content = ask(port, "HEAD", "/")
    assert (status, content) == (200, b"")
    assert int(headers["content-length"]) == (webserver.PAGE / "page.html").stat().st_size


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:7861", ""]
)
def test_a_name_that_is_not_ours_is_refused(port, host):
    """DNS rebinding: a name of others that suddenly leads to this machine."""
    for method, path in [("GET", "/"), ("GET", "/api/model"), ("POST", DETECT)]:
        assert ask(port, method, path, None, {"Host": host})[0] == 421


def test_our_own_names_are_known(port):
    for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", "[::1]:7861", "192.168.1.5"):
        assert ask(port, "GET", "/health", None, {"Host": host})[0] == 200
    assert (
        doorkeeper.Doorkeeper(None, ["Detector.Example"])._problem("GET", [(b"host", b"detector.example:443")]) is None
    )
    two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert raw(port, two).split()[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(port, headers):
    body, kind = form(FILES[:1])
    assert refusal(port, body, kind | headers) == (403, "pages of other sites may not use this server")
    assert ask(port, "OPTIONS", DETECT, None, headers)[0] == 403


def test_its_own_page_and_programs_are_served(port):
    for headers in (
        {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ):
        body, kind = form(FILES[:1])
        assert ask(port, "POST", DETECT, body, kind | headers)[0] == 200


def test_no_address_is_ever_fetched(port):
    asked = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Trap) as trap:
        thread = threading.Thread(target=trap.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{trap.server_port}/secret"
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/></svg>'.encode()
        assert refusal(port, *form(images=(), images_url=address))[0] == 422
        assert refusal(port, *written(('name="images"', address.encode())))[0] == 422
        assert refusal(port, b'{"images": ["%s"]}' % address.encode(), {"Content-Type": "application/json"})[0] == 422
        assert (
            refusal(port, b"images=" + address.encode(), {"Content-Type": "application/x-www-form-urlencoded"})[0]
            == 422
        )
        for content in (address.encode(), svg, b"data:," + address.encode()):
            assert rows_of(port, [(address, content)], facts="true", heatmap="true")[0]["verdict"] == "unreadable"
        assert ask(port, "POST", f"{DETECT}?images={address}&url={address}", *form(FILES[:1]))[0] == 200
        trap.shutdown()
        thread.join()
    assert asked == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"views": "center"}, "Did you mean 'centre'"),
        ({"max_fpr": "0.2"}, "no threshold for a false-positive rate of 0.2"),
        ({"max_fpr": "nan"}, "no threshold"),
        ({"max_fpr": "low"}, "must be a number"),
        ({"heatmap": "perhaps"}, "heatmap must be true or false"),
        ({"views": "x" * 200}, "views is too long"),
        ({"path": "/etc/passwd"}, "fields are"),
    ],
)
def test_what_cannot_be_asked_is_told(port, options, told):
    status, sentence = refusal(port, *form(FILES[:1], **options))
    assert status == 422
    assert told in sentence


def test_broken_requests_are_told(port):
    body, kind = form(FILES[:1])
    deep = (
        b"--border\r\n"
        + b"X-Deep: 1\r\n" * 1000
        + b'Content-Disposition: form-data; name="images"\r\n\r\nx\r\n--border--\r\n'
    )
    wide = b"--border\r\nX-Wide: " + b"1" * 10_000 + b"\r\n\r\nx\r\n--border--\r\n"
    for wrong in (b"", b"--border--\r\n", body[:-30], b"nothing", deep, wide):
        assert refusal(port, wrong, kind)[0] == 422
    for wrong in (
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 500,
        "multipart/mixed; boundary=border",
    ):
        assert refusal(port, body, {"Content-Type": wrong})[0] == 422
    many = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: 1\r\n" * 20_000 + b"\r\n"
    with pytest.raises((OSError, AssertionError)):
        assert raw(port, many).split()[1] == b"200"


def test_limits_hold(detector):
    small, large = noise(20_000), noise(60_000)
    with running(detector, image_bytes=50_000, request_bytes=100_000, n_images=3, image_pixels=30_000) as port:
        assert refusal(port, *form([small, large])) == (413, "image 2 is too large: 0.05 MB are allowed")
        assert refusal(port, *form([small[:99]] * 4)) == (413, "too many images: a request may have 3")
        assert refusal(port, *form([small] * 6))[0] == 413
        assert rows_of(port, [small])[0]["verdict"] != "unreadable"
        (row,) = rows_of(port, FILES[1:2])
        assert (row["verdict"], row["error"]) == ("unreadable", "more than 30000 pixels: 451x300")


def test_a_body_that_is_too_large_is_refused_before_it_comes(detector):
    with running(detector, request_bytes=100_000) as port:
        head = f"POST {DETECT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=border\r\n"
        answer = raw(port, head.encode() + b"Content-Length: 100001\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()
        begun = written(('name="images"; filename="a"', b"x" * 90_000))[0][:-14]
        told = iter([begun, b"x" * 20_000])
        status, _, answer = ask(port, "POST", DETECT, told, {"Content-Type": "multipart/form-data; boundary=border"})
        assert (status, answer["error"][:24]) == (413, "the request is too large")


def test_a_bomb_is_refused_by_its_header(port):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000_000))) + chunk(b"IEND", b"")
    tracemalloc.start()
    (row,) = rows_of(port, [bomb], heatmap="true", facts="true")
    assert tracemalloc.get_traced_memory()[1] < 30_000_000
    tracemalloc.stop()
    assert "pixels" in row["error"]
    assert (row["facts"], row["heatmap"]) == (None, None)


def test_no_fact_of_an_image_above_the_limit_is_looked_for(detector):
    with running(detector, image_pixels=200_000) as port:
        large, small = rows_of(port, FILES[:2], facts="true", heatmap="true")
    assert (large["error"], large["facts"]) == ("more than 200000 pixels: 512x512", None)
    assert small["facts"]["width"] == 451


def test_an_upload_never_touches_the_disk(detector, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    opened, seen = [], set()

    def watch(event, arguments):
        if opened is not None and event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1]):
            opened.append(arguments[0])

    sys.addaudithook(watch)
    body, headers = form([noise(10_000_000)])
    with running(detector) as port, ThreadPoolExecutor(1) as pool:
        opened.clear()
        asked = pool.submit(ask, port, "POST", DETECT, body, headers)
        while not asked.done():
            seen |= set(Path(tmp_path).rglob("*"))
            time.sleep(0.002)
        written_to = list(opened)
    opened = None
    assert asked.result()[0] == 200
    assert seen == set()
    assert written_to == []


def slow(port, content, wait_s):
    """Seconds until the server gives up on a client that sends this and then nothing."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), wait_s) as client:
        client.sendall(content)
        answer = b""
        try:
            while piece := client.recv(1000):
                answer += piece
        except ConnectionResetError:
            pass
    return time.monotonic() - begun, answer


def test_slow_clients_are_not_waited_for(detector):
    with running(detector, header_s=0.3, body_s=0.3) as port:
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
            assert slow(port, begun, 10) == (pytest.approx(0.3, abs=2), b"")
        taken = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost"
        assert slow(port, taken, 4)[1].startswith(b"HTTP/1.1 200")
        head = f"POST {DETECT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        waited, answer = slow(port, head.encode() + b"Content-Length: 1000\r\n\r\n--b", 10)
        assert waited < 5
        assert answer.startswith(b"HTTP/1.1 408 ")


class Slow:
    """What takes its time to judge, and counts how many ask at once."""

    def __init__(self, runtime, wait_s):
        self.runtime, self.description, self.folder = runtime, runtime.description, runtime.folder
        self.wait_s, self.lock, self.now, self.most = wait_s, threading.Lock(), 0, 0

    def scores(self, windows):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.wait_s)
        with self.lock:
            self.now -= 1
        return self.runtime.scores(windows)


def test_who_finds_the_line_full_is_told_to_come_again(detector, monkeypatch):
    monkeypatch.setattr("dda.io.devices.cores", lambda: 2)
    waiting = Slow(detector.runtime, 0.5)
    with running(replace(detector, runtime=waiting), n_waiting=2) as port, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask(port, "POST", DETECT, *form(FILES[:1])), range(12)))
        assert ask(port, "GET", "/health")[2]["status"] == "ok"
        assert ask(port, "POST", DETECT, *form(FILES[:1]))[0] == 200
    statuses = [status for status, _, _ in answers]
    assert waiting.most == 2
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 4
    assert all(headers["retry-after"] == "5" for status, headers, _ in answers if status == 503)


def test_an_answer_that_takes_too_long_is_given_up(detector, monkeypatch):
    monkeypatch.setattr("dda.io.devices.cores", lambda: 1)
    with running(replace(detector, runtime=Slow(detector.runtime, 0.4)), answer_s=0.2) as port:
        status, sentence = refusal(port, *form(FILES))
        assert (status, sentence[:34]) == (503, "there was no answer after 0.2 seco")


def test_memory_for_all_requests_together_is_bounded(detector):
    with running(detector, held_bytes=50_000) as port:
        assert refusal(port, *form([noise(60_000)]))[0] == 503
        assert [len(rows_of(port, [noise(30_000)])) for _ in range(4)] == [1] * 4


def test_sixty_four_clients_are_answered_without_an_error(port, detector):
    wanted = [one.logit for one in detector.predict(FILES)]
    waited = []

    def client(number):
        begun = time.monotonic()
        (row,) = rows_of(port, [FILES[number % 3]])
        waited.append(time.monotonic() - begun)
        return row["logit"]

    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(client, range(128)))
    assert found == pytest.approx([wanted[number % 3] for number in range(128)], abs=1e-4)
    print(f"128 requests of 64 clients: p50 {np.median(waited):.2f} s, p95 {np.quantile(waited, 0.95):.2f} s")


def test_a_port_that_is_taken_is_told_in_a_sentence():
    with (
        listening.bound("127.0.0.1", 0) as taken,
        pytest.raises(SetupError, match=r"already in use\. Choose another one"),
    ):
        listening.bound("127.0.0.1", taken.getsockname()[1])
    assert listening.address_of(listening.bound("127.0.0.1", 0)).startswith("http://127.0.0.1:")
