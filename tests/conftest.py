"""A small project on twenty tiles of the embedded photographs, made once, for tests of a finished pipeline."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from dda import params as parameters
from dda import quiet
from tests import stores

quiet.apply()
os.environ["PREFECT_API_URL"] = ""
# a shell starts what it puts into the background with Ctrl-C ignored, and every process of a test would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).parents[1]
TILES = {"coffee": 3, "chelsea": 2, "portrait": 3, "rocket": 2, "motorcycle": 6, "astronaut": 4}
SMALL = {
    "index": {"max_failed": 0.9},
    "reconstruct": {"shards": 3},
    "audit": {"min_pairs_per_split": 1, "bootstrap_samples": 100, "gallery_pairs": 2},
    "train": {"epochs": 2, "draws_per_pair": 1, "batch_pairs": 5, "micro_batch_pairs": 5, "exports": []},
    "evaluate": {"protocols": ["native", "all-q96", "jpeg-50", "resize-0.5"]},
    "report": {"bootstrap_samples": 100, "gallery_pairs": 2},
}


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: at the end, one would keep a single process busy and the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def settings(**changes):
    """params.yaml's values with sections updated: the small ones of the tests, and a test's own."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    for section, keys in [*SMALL.items(), *changes.items()]:
        values[section] |= keys
    return values


def write_project(folder, photos, **changes):
    """A folder with photos (name -> bytes) and parameters; the parameters."""
    for name, content in photos.items():
        path = folder / "data/photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "params.yaml").write_text(yaml.safe_dump(settings(**changes)))
    return parameters.load(folder / "params.yaml")


@pytest.fixture(scope="module")
def one_thread():
    """Threads that wait for one another on a busy machine take longer than images of a few thousand pixels."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiles():
    """Twenty tiles of six photographs, two for each split: name -> JPEG bytes."""
    from dda.embedded.photos import tiles as all_tiles

    chosen = {f"{name}-tile{number:02d}.jpg" for name, n in TILES.items() for number in range(n)}
    return {name: content for name, content in all_tiles() if name in chosen}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a small project in an empty folder, which becomes the current one: photos, **changes -> parameters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return lambda photos, **changes: write_project(tmp_path, photos, **changes)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiles):
    """The folder of a project whose seven stages have run."""
    from dda.stages import align, audit, evaluate, index, reconstruct, report, train

    folder = tmp_path_factory.mktemp("finished")
    params = write_project(folder, tiles)
    with contextlib.chdir(folder):
        index.run(params)
        for stage in (reconstruct, align, audit):
            stage.run(params, "tiny")
        train.run(params, "embedded")
        evaluate.run(params, "embedded", "aligned-tiny")
        report.run(params)
    return folder


@pytest.fixture
def line(finished, monkeypatch):
    """The finished project's parameters, its folder being the current one. Nothing in it may be changed."""
    monkeypatch.chdir(finished)
    return parameters.load(Path("params.yaml"))


@pytest.fixture
def copied_line(finished, tmp_path, monkeypatch):
    """The same as `line`, as a copy of its own that a test may damage."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return parameters.load(Path("params.yaml"))


@pytest.fixture(scope="session")
def reported(finished, tmp_path_factory):
    """The parameters of a copy of that project whose report covers GenImage: a small table under four protocols."""
    from tests import judged

    folder = tmp_path_factory.mktemp("reported") / "copy"
    shutil.copytree(finished, folder)
    params = write_project(folder, {}, evaluate={"benchmarks": ["genimage"]})
    with contextlib.chdir(folder):
        judged.write_benchmark(params, "embedded", "genimage")
        from dda.stages import report

        report.run(params)
    return params, folder


@pytest.fixture(scope="session")
def rclone_store(tmp_path_factory):
    """A store on the disk that checks keys, for all tests; each uses a prefix of its own."""
    with stores.rclone(tmp_path_factory.mktemp("store") / "data") as running:
        yield running


@pytest.fixture
def store(rclone_store, monkeypatch):
    """A gate before that store, which this process and those that it starts use."""
    with stores.gate(rclone_store.address) as passing:
        stores.use(monkeypatch, passing.address)
        yield passing


@pytest.fixture(scope="session")
def audited(tmp_path_factory, tiles):
    """A project's folder with an audited set `tiny` of three shards, two megabytes in all."""
    from tests import sets

    folder = tmp_path_factory.mktemp("audited")
    sets.write_audited(folder, tiles, side_px=180)
    return folder


@pytest.fixture
def aligned(audited, tmp_path, monkeypatch):
    """The paths of a copy of that project, whose folder is the current one."""
    shutil.copytree(audited, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return parameters.load(ROOT / "params.yaml").paths


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A folder with an MLflow store that has nothing in it: making its tables takes seconds, copying it none."""
    from dda.io import mlflow_store

    folder = tmp_path_factory.mktemp("store")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        mlflow_store.client()
    return folder


@pytest.fixture
def in_store(empty_store, tmp_path, monkeypatch):
    """A folder with such a store of its own, which is the current one."""
    shutil.copytree(empty_store, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium of this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
