"""Whether the services answer: S3 its buckets, MLflow, Prefect, and the workers of the pool."""

import base64
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dda.core.errors import SetupError
from dda.io import s3

POOL = "gpu"
TIMEOUT_S = 5
MAX_WORKERS = 200
NOT_FOUND = 404
S3, MLFLOW, PREFECT, WORKER = "s3", "mlflow", "prefect", "worker"
ADDRESSES = {S3: "AWS_ENDPOINT_URL", MLFLOW: "MLFLOW_TRACKING_URI", PREFECT: "PREFECT_API_URL"}
PLACES = ("DDA_REMOTE", "DDA_PUBLISH", "MLFLOW_ARTIFACTS_DESTINATION")


@dataclass(frozen=True)
class Health:
    """What a service answered: `state` in words, and its version, where it tells one."""

    healthy: bool
    state: str
    version: str = ""


def address(name: str) -> str:
    """Where a service is, as the environment says, without a password; workers are known by their server's."""
    variable = ADDRESSES.get(name, ADDRESSES[PREFECT])
    uri = os.environ.get(variable, "")
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") and not (name == S3 and not uri):
        raise SetupError(
            f"{variable} is {uri!r}, where {name} should be: set it to an address such as http://host:port"
        )
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return f"{shown} pool {POOL}" if name == WORKER else shown or s3.endpoint()


def of(name: str) -> Health:
    """Ask a service how it is. Raises SetupError only where no address says whom to ask."""
    address(name)
    try:
        return ASKED[name]()
    except urllib.error.HTTPError as error:
        return Health(False, f"answers {error.code} {error.reason}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Health(False, f"no answer ({getattr(error, 'reason', None) or error})")
    except SetupError as error:
        return Health(False, str(error))


def places() -> list[s3.Place]:
    """Where this environment keeps things in S3."""
    return [s3.place(os.environ[name]) for name in PLACES if os.environ.get(name)]


def _s3() -> Health:
    """Every place can be listed, which is what each of the policies allows."""
    if endpoint := os.environ.get(ADDRESSES[S3]):
        _answers(endpoint)  # quicker than boto3, which tries three times
    connection, server = s3.client(), ""
    for place in places():
        with s3.told(place):
            answer = connection.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix, MaxKeys=1)
        server = answer["ResponseMetadata"]["HTTPHeaders"].get("server", "")
    return Health(True, " ".join(str(place).rstrip("/") for place in places()), server)


def _mlflow() -> Health:
    root = os.environ[ADDRESSES[MLFLOW]].rstrip("/")
    return Health(_text(f"{root}/health") == "OK", "answers", _text(f"{root}/version"))


def _prefect() -> Health:
    return Health(_api("health") is True, "answers", str(_api("admin/version")))


def _worker() -> Health:
    """Workers of the pool that the server hears of. Not by Prefect's client, which takes a second and 100 MB."""
    try:
        pool = _api(f"work_pools/{POOL}")
    except urllib.error.HTTPError as error:
        if error.code != NOT_FOUND:
            raise
        return Health(False, f"no pool {POOL!r} yet")
    workers = _api(f"work_pools/{POOL}/workers/filter", {"limit": MAX_WORKERS})
    online = sum(worker["status"] == "ONLINE" for worker in workers)
    limit = "any number of runs" if pool["concurrency_limit"] is None else f"{pool['concurrency_limit']} run(s)"
    paused = ", the pool is paused" if pool["is_paused"] else ""
    return Health(online > 0, f"{online} online, {limit} at once{paused}")


def _api(path: str, body: dict[str, Any] | None = None) -> Any:
    """What Prefect's API answers, asked as its settings say who asks."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    elif pair := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    url = f"{os.environ[ADDRESSES[PREFECT]].rstrip('/')}/{path}"
    return json.loads(_text(urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)))  # noqa: S310


def _answers(url: str) -> None:
    """Raise OSError where nothing listens; any answer will do, a refusal too."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()


def _text(url: str | urllib.request.Request) -> str:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 (http or https: address() saw to it)
        return str(answer.read().decode())


ASKED: dict[str, Callable[[], Health]] = {S3: _s3, MLFLOW: _mlflow, PREFECT: _prefect, WORKER: _worker}
