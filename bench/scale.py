"""What grows with the set: table, folder of DVC, database of MLflow, server of Prefect.    python bench/scale.py

Each is measured at N, 2N and 4N in a process of its own, on made-up rows of the true shape, and carried on to a million
and to a hundred million by the last step's growth, as if nothing broke before. docs/scale.md draws the conclusions.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import measured

from dda import quiet

KINDS = {"index": 100_000, "dvc": 2_000, "mlflow": 100, "prefect": 200}
MEANING = {
    "index": "photos in index.parquet",
    "dvc": "files in one folder of DVC",
    "mlflow": "runs and versions in one SQLite database",
    "prefect": "task runs of one flow, on one server with SQLite",
}
PHOTOS = (1_000_000, 100_000_000)
TARGETS = {"index": PHOTOS, "dvc": PHOTOS, "mlflow": (10_000, 100_000), "prefect": (10_000, 100_000)}
METRICS, PARAMS = 60, 80  # of a run: what `train` and the registry log


def main() -> None:
    """Measure, and print what was measured."""
    options = parsed()
    for kind in options.only:
        first = getattr(options, kind)
        runs = {count: measured(__file__, kind, {"count": count}) for count in (first, 2 * first, 4 * first)}
        print(f"{MEANING[kind]}:", flush=True)
        for count, run in runs.items():
            print(f"  {count:>9}: {line(run)}", flush=True)
        conclude(kind, runs)


def parsed() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="what to measure")
    for kind, count in KINDS.items():
        parser.add_argument(f"--{kind}", type=int, default=count, help=f"N: {MEANING[kind]}")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, task = options.work
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            work: Callable[[int], dict[str, float]] = globals()[f"grow_{kind}"]
            print(json.dumps(work(json.loads(Path(task).read_text())["count"])))
            os.chdir("/")
        sys.exit()
    return options


def timed(done: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    began = time.monotonic()
    done()
    return time.monotonic() - began


def grow_index(count: int) -> dict[str, float]:
    """The table of photos: written, read, and turned into the records that stages work on."""
    from dda.io import tables
    from dda.stages.index import COLUMNS

    facts = {"bytes": 165_000, "width": 640, "height": 480, "format": "JPEG", "channels": 3, "split": "train"}
    facts |= {"jpeg_quality": 96, "jpeg_tables": "5f0d6b5a4d3c2b1a", "subsampling": "4:2:0"}

    def row(number: int) -> dict[str, Any]:
        name = f"{number * 2654435761 % 2**40:012d}"
        digest = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**256:064x}"
        return {"image_id": f"{name}-{digest[-10:]}", "group": name, "path": f"{name}.jpg", "sha256": digest} | facts

    path, frames = Path("index.parquet"), []
    written_s = timed(lambda: tables.write(path, [row(number) for number in range(count)], COLUMNS))
    read_s = timed(lambda: frames.append(tables.read(path)))
    records_s = timed(lambda: tables.records(frames[0]))
    return {"write_s": written_s, "read_s": read_s, "records_s": records_s, "bytes": path.stat().st_size}


def grow_dvc(count: int) -> dict[str, float]:
    """A folder of small files: added, and looked at once more when nothing has changed."""
    folder = Path("data")
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:012d}.jpg").write_bytes(number.to_bytes(8, "big") * 16)

    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, stdout=subprocess.DEVNULL)

    dvc("init", "--quiet", "--no-scm")
    added_s = timed(lambda: dvc("add", "--quiet", "data"))
    listing = max(Path(".dvc/cache").rglob("*.dir"), key=lambda path: path.stat().st_size)
    return {"add_s": added_s, "status_s": timed(lambda: dvc("status")), "bytes": listing.stat().st_size}


def grow_mlflow(count: int) -> dict[str, float]:
    """Runs with their metrics, each a version of one model; then what the registry asks."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    experiment = client.create_experiment("dda")
    client.create_registered_model("dda-detector")

    def add(number: int) -> None:
        run = client.create_run(experiment).info
        metrics = [Metric(f"benchmark-{n}.auroc", (number * 7 + n) % 1000 / 1000, 0, 0) for n in range(METRICS)]
        params = [Param(f"train.{n}", str(number)) for n in range(PARAMS)]
        client.log_batch(run.run_id, metrics, params, [RunTag("digest", f"{number:032x}")])
        tags = {"digest": f"{number:032x}", "commit": "c" * 40}
        client.create_model_version("dda-detector", "s3://bucket/model", run.run_id, tags=tags)

    logged_s = timed(lambda: [add(number) for number in range(count)])
    digest = f"{count // 2:032x}"
    searches: dict[str, Callable[[], Any]] = {
        "find_run_s": lambda: client.search_runs([experiment], f"tags.digest = '{digest}'"),
        "best_50_s": lambda: client.search_runs(
            [experiment], order_by=["metrics.`benchmark-3.auroc` DESC"], max_results=50
        ),
        "find_version_s": lambda: client.search_model_versions(f"name = 'dda-detector' and tags.digest = '{digest}'"),
        "all_versions_s": lambda: client.search_model_versions("name = 'dda-detector'", max_results=10_000),
    }
    return {"log_s": logged_s} | {name: timed(ask) for name, ask in searches.items()} | {"bytes": database_bytes()}


def database_bytes() -> int:
    """The size of the database in this folder."""
    return sum(path.stat().st_size for path in Path().rglob("*.db*"))


def grow_prefect(count: int) -> dict[str, float]:
    """A flow with so many tasks that do nothing, all at once, on a server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    os.environ |= {"PREFECT_HOME": str(Path().resolve()), "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = {"flow_s": wide_flow_s(api, count)}
    finally:
        server.terminate()
        server.wait()
    return found | {"bytes": database_bytes()}


def wide_flow_s(api: str, count: int) -> float:
    """Seconds of the flow, once the server answers and a first run has warmed both up."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    @task(cache_policy=NO_CACHE)
    def nothing() -> None:
        pass

    @flow
    def wide(n: int) -> None:
        for run in [nothing.submit() for _ in range(n)]:
            run.result()

    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{api}/health", timeout=5).close()  # noqa: S310 (our own server)
            break
        time.sleep(0.2)
    wide(1)
    return timed(lambda: wide(count))


def conclude(kind: str, runs: dict[int, dict[str, Any]]) -> None:
    """Print what a million and a hundred million would take, were growth that of the last step."""
    (_, two), (last, four) = list(runs.items())[1:]
    for target in TARGETS[kind]:
        growth = {name: max(0.0, four[name] - two[name]) / (last / 2) for name in four}
        grown = {name: four[name] + growth[name] * (target - last) for name in four}
        print(f"  {target:>9}: {line(grown)} (carried on)", flush=True)


def line(run: dict[str, Any]) -> str:
    """A run in words."""
    seconds = [f"{name.removesuffix('_s').replace('_', ' ')} {run[name]:.2f} s" for name in run if name.endswith("_s")]
    return f"{', '.join(seconds)}, {run['bytes'] / 1e6:.2f} MB, memory {run['peak_bytes'] / 2**30:.2f} GiB"


if __name__ == "__main__":
    quiet.apply()
    main()
