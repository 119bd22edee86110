"""A hub of models with one repository, anna/vae, over HTTP, and the real client that asks it."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """As much of the hub as the client asks for one repository: its commit, its files, and their content."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.refusal, self.asked = files, None, []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.asked.append((path, self.headers.get("Authorization")))
        api, files = "/api/models/anna/vae", self.server.files
        if not path.startswith((api, "/anna/vae/")):
            return self.answer(401, error="RepoNotFound")
        if COMMIT not in path and "/main" not in path:
            return self.answer(404, error="RevisionNotFound")
        if path.startswith(f"{api}/tree/"):
            listed = [
                {"type": "file", "path": name, "size": len(files[name]), "oid": oid(files[name])} for name in files
            ]
            return self.answer(200, json.dumps(listed).encode())
        if path.startswith(f"{api}/"):
            return self.answer(200, json.dumps({"id": "anna/vae", "sha": COMMIT, "siblings": []}).encode())
        if self.server.refusal:
            return self.answer(*self.server.refusal)
        content = files[path.partition(f"/resolve/{COMMIT}/")[2]]
        return self.answer(200, content, etag=oid(content))

    def do_HEAD(self):
        self.do_GET()

    def answer(self, status, content=b"", error=None, etag="", told=None):
        self.send_response(status)
        headers = {"X-Error-Code": error, "X-Error-Message": told}
        headers |= {"ETag": etag and f'"{etag}"', "X-Repo-Commit": etag and COMMIT}
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def oid(content):
    return hashlib.sha1(content).hexdigest()


def client(monkeypatch, folder):
    """Give the hub's client an empty cache of its own and no token; a function of the address that it shall ask."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def ask(address):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )

    return ask
