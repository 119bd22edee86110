"""S3 stores of a test's own: real servers over HTTP, and a gate before one that counts what passes and may break it."""

import ctypes
import http.client
import os
import re
import signal
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY, SECRET, BUCKET = "a-key-of-tests", "a-secret-of-tests", "sets"
# on the disk at once, and what a test changes there is seen
CACHE = ["--vfs-cache-mode", "writes", "--vfs-write-back", "0s"]


def die_with_parent():
    """Else a server would outlive tests that are killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Rclone:
    """`rclone serve s3` on a folder: data on disk, keys checked; `public` lets everybody in."""

    def __init__(self, folder: Path, public: bool = False, port: int = 0) -> None:
        for bucket in (BUCKET, "dda"):  # before it starts: what is made later, it may not see for minutes
            (folder / bucket).mkdir(parents=True, exist_ok=True)
        self.folder = folder
        keys = [] if public else ["--auth-key", f"{KEY},{SECRET}"]
        command = ["rclone", "serve", "s3", folder, "--addr", f"127.0.0.1:{port}", *CACHE, *keys]
        environment = {**os.environ, "RCLONE_CONFIG": os.devnull, "RCLONE_CACHE_DIR": f"{folder}-cache"}
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (it only tells the kernel something)
        )
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.search(r"Starting s3 server on \[(http://[^/]+)/", line):
                self.address = found[1]
                break
        else:
            raise RuntimeError(f"rclone did not start: {''.join(said)}")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def path(self, key: str) -> Path:
        """Where an object lies on the disk."""
        return self.folder / BUCKET / key

    def die(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def rclone(folder: Path, **options):
    server = Rclone(folder, **options)
    try:
        yield server
    finally:
        server.die()


@contextmanager
def moto():
    """moto's server, which enforces conditional puts, and keeps nothing on the disk. Gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


class Gate(ThreadingHTTPServer):
    """Passes requests on to a store and counts them; `before(request)` may do something first, or cut it off."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.store = store.removeprefix("http://")
        self.address = "http://{}:{}".format(*self.server_address)
        self.passed = []
        self.ranges = []
        self.before = None

    def handle_error(self, request, client_address) -> None:
        """A connection that was cut off is what a test wants."""

    def sent(self, word: str = "") -> list[str]:
        """Objects and parts, whichever upload they belong to, whose bytes were sent: those with the word in them."""
        paths = [path for method, path, n_bytes in self.passed if method == "PUT" and n_bytes and word in path]
        return [re.sub("uploadId=[^&]*", "", path) for path in paths]


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.before:
            self.server.before(f"{self.command} {self.path}")
        far = http.client.HTTPConnection(self.server.store, timeout=30)
        far.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":
                far.putheader(name, value)
        far.endheaders(body)
        answer = far.getresponse()
        content = answer.read()
        self.server.ranges.append(self.headers.get("Range"))
        self.server.passed.append((self.command, self.path, len(body)))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "server", "date", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)
        far.close()

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_) -> None:
        """Requests are counted, not told."""


@contextmanager
def gate(store: str):
    server = Gate(store)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(address: str | None) -> dict[str, str]:
    """What a process must find to use a store; nothing of this machine's own."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    named = {
        "AWS_CONFIG_FILE": "nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
    return mine | named | keys | ({"AWS_ENDPOINT_URL": address} if address else {})


def use(monkeypatch, address: str, credentials: bool = True) -> None:
    """Let this process use a store."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(address).items():
        if name.startswith("AWS_") and (credentials or name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")):
            monkeypatch.setenv(name, value)
