"""A detector by whatever names it: a folder, a version of the registered model, a place in a store."""

import shutil
from pathlib import Path

import pytest

from dda import Detector
from dda.core.errors import SetupError
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import fetched_detectors, s3, sources
from dda.io.registry import Registry
from tests import small_detector, stores
from tests.registries import MODEL, candidate, register

PHOTO = originals(PHOTOGRAPHS[0])[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_detector.write(tmp_path_factory.mktemp("small") / "small")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DDA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/detectors"


@pytest.fixture
def versions(in_store, small, monkeypatch):
    """A registry with a version of the small detector; what else lies in the model's folder is the test's."""

    def make(name="detector", **files):
        def write_model(folder, model_id, run_id):
            shutil.copytree(small, folder / "artifacts" / name)
            for file, content in files.items():
                (folder / "artifacts" / name / file.replace("_", ".")).write_text(content)
            (folder / "MLmodel").write_text(f"model_id: {model_id}\nrun_id: {run_id}\n")

        wanted = candidate(in_store / "candidate")
        object.__setattr__(wanted, "write_model", write_model)
        return register(Registry.open(MODEL), wanted)

    return make


@pytest.fixture
def stored(store, small, request):
    """Put the small detector, and a pickle, into a store: its address, and a function that puts another file there."""
    address = f"s3://{stores.BUCKET}/detectors/{request.node.name}"

    def put(name, content):
        s3.put(s3.client(), s3.place(address), name, content, {})

    for path in small.iterdir():
        put(path.name, path.read_bytes())
    put("evil.pkl", b"x")
    return address, put


def logit(model):
    return Detector.load(model, "cpu").predict(PHOTO)[0].logit


def test_a_folder_is_its_own_source_whatever_it_is_called(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small, "mine@home")
    assert sources.find("mine@home").folder == Path("mine@home")
    assert sources.find(small).name == str(small)


def test_a_registered_version_is_fetched_once_and_by_all_its_names(versions, small, own_cache, monkeypatch):
    versions()
    names = (f"models:/{MODEL}@challenger", f"{MODEL}@challenger", f"models:/{MODEL}/1")
    found = [sources.find(name) for name in names]
    assert {source.name for source in found} == {f"models:/{MODEL}/1"}
    (folder,) = {source.folder for source in found}
    assert folder.parent == own_cache
    assert [path.name for path in own_cache.iterdir()] == [folder.name]
    assert logit(names[0]) == logit(small)
    monkeypatch.setattr(Registry, "fetch", None)  # it is not asked for again
    assert sources.folder_of(names[1]) == folder


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"models:/{MODEL}@champion", "no version 'champion' of dda-detector. .*Known: 1, challenger"),
        (f"models:/{MODEL}/7", "no version '7'"),
        (f"models:/{MODEL}", "names no version of a model: name one as models:/NAME@ALIAS"),
        (f"models:/{MODEL}/1/2", "names no version of a model"),
        ("models:/other@champion", "no version 'champion' of other. Known: none"),
    ],
)
def test_an_unknown_version_is_told_with_those_that_are_known(name, reason, versions):
    versions()
    with pytest.raises(SetupError, match=reason):
        sources.find(name)


def test_a_version_with_a_pickle_is_not_taken(versions, own_cache):
    versions(weights_pkl="x")
    with pytest.raises(SetupError, match=r"holds weights\.pkl, which is or may be a pickle, and is not loaded"):
        sources.find(f"{MODEL}@challenger")
    assert list(own_cache.iterdir()) == []


def test_a_registry_that_is_away_is_told(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SetupError, match=r"MLflow store http://127\.0\.0\.1:9 does not answer"):
        sources.find(f"models:/{MODEL}@champion")


def test_a_detector_in_a_store_is_fetched_once_until_it_changes(stored, store, small, own_cache):
    address, put = stored
    folder = sources.folder_of(address)
    assert sorted(path.name for path in folder.iterdir()) == ["card.md", "detector.json", "model.safetensors"]
    assert logit(address) == logit(small)
    n_gets = sum(method == "GET" for method, _, _ in store.passed)
    assert sources.folder_of(f"{address}/") == folder
    assert sum(method == "GET" for method, _, _ in store.passed) == n_gets
    put("card.md", b"another card")
    assert sources.folder_of(address) != folder
    assert not list(own_cache.glob(".*"))


def test_a_store_without_a_detector_says_what_is_missing(stored, monkeypatch):
    address, _ = stored
    with pytest.raises(SetupError, match=r"no detector at s3://sets/none/: there is no detector\.json"):
        sources.find("s3://sets/none")
    monkeypatch.setitem(fetched_detectors.LIMITS, "model.safetensors", 100)
    with pytest.raises(SetupError, match=r"model\.safetensors has \d+ bytes, more than the 100"):
        sources.find(address)


def test_a_store_that_is_away_or_breaks_off_leaves_nothing_behind(stored, store, own_cache):
    address, _ = stored

    def cut(request):
        if request.startswith("GET") and "model.safetensors" in request:
            raise ConnectionError

    store.before = cut
    with pytest.raises(SetupError, match="no answer from"):
        sources.find(address)
    assert list(own_cache.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_told(stored, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DDA_CACHE", str(tmp_path / "file"))
    with pytest.raises(SetupError, match="set DDA_CACHE to a folder of yours"):
        sources.find(stored[0])


def test_the_cache_lies_where_the_environment_says(monkeypatch):
    monkeypatch.delenv("DDA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert fetched_detectors.cache() == Path("/cache/dda")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/one")
    assert fetched_detectors.cache() == Path("/one/.cache/dda")
