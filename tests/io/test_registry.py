"""The registry on a SQLite store of its own: what is kept with a version, and that nothing is doubled or half done."""

import contextlib
import json
import os
import shutil

import pytest

from dda.core.errors import SetupError
from dda.io.registry import Registry
from tests import registries
from tests.registries import MODEL, ONE, Stopped, candidate, everything, register

METRICS = {"aligned-tiny/native/auroc": 0.75, "aligned-tiny/native/auroc_low": 0.7}


@pytest.fixture
def registry(in_store):
    return Registry.open(MODEL)


def test_a_version_keeps_what_it_was_made_of(registry, tmp_path):
    made = register(registry, candidate(tmp_path, metrics=METRICS, tags={"dda.vaes": "tiny"}))
    version = registry.version("challenger")
    assert (version.number, version.digest, version.aliases) == (1, "d1", ("challenger",))
    assert (version.metrics, version.tags["dda.vaes"]) == (METRICS, "tiny")
    assert (made.run_id, made.created_s > 1e9) == (version.run_id, True)
    assert everything(registry) == ONE


def test_what_is_kept_comes_back_byte_for_byte(registry, tmp_path):
    version = register(registry, candidate(tmp_path, predictions__a_parquet="rows"))
    assert registry.fetch(version, "predictions/a.parquet", tmp_path / "got").read_text() == "rows"
    assert (registry.fetch(version, "lineage", tmp_path / "got") / "detector.json").read_text() == "{}"
    detector = registry.fetch(version, "detector", tmp_path / "got")
    assert json.loads((detector / "detector.json").read_text()) == {"name": "small"}


def test_what_a_version_does_not_have_is_told(registry, tmp_path):
    version = register(registry, candidate(tmp_path))
    with pytest.raises(SetupError, match="cannot fetch predictions of version 1"):
        registry.fetch(version, "predictions", tmp_path / "got")


def test_the_same_detector_is_the_same_version_and_gets_what_came_later(registry, tmp_path):
    register(registry, candidate(tmp_path))
    register(registry, candidate(tmp_path, metrics=METRICS, tags={"dda.evaluated": "a"}, predictions__a_parquet="rows"))
    version = registry.version("1")
    assert (version.metrics, version.tags["dda.evaluated"]) == (METRICS, "a")
    assert registry.fetch(version, "predictions/a.parquet", tmp_path / "got").read_text() == "rows"
    assert everything(registry) == ONE


def test_registering_again_sends_only_what_is_another(registry, tmp_path):
    register(registry, candidate(tmp_path, metrics=METRICS))
    before = registry.client.get_metric_history(registry.version("1").run_id, "aligned-tiny/native/auroc")
    register(registry, candidate(tmp_path, metrics={**METRICS, "aligned-tiny/native/auroc_low": 0.6}))
    after = registry.client.get_metric_history(registry.version("1").run_id, "aligned-tiny/native/auroc")
    assert [point.value for point in after] == [point.value for point in before] == [0.75]
    assert registry.version("1").metrics["aligned-tiny/native/auroc_low"] == 0.6


def test_what_the_detector_said_at_first_and_the_code_that_serves_it_are_never_replaced(registry, tmp_path):
    register(registry, candidate(tmp_path, fixtures_json="first"))
    later = candidate(tmp_path, fixtures_json="second", predictions__a_parquet="rows")
    register(registry, type(later)(**{**vars(later), "code": "c2"}))
    version = registry.version("1")
    assert registry.fetch(version, "fixtures.json", tmp_path / "got").read_text() == "first"
    assert version.tags["dda.code"] == "c1"
    assert list(json.loads(version.tags["dda.files"])) == [
        "fixtures.json",
        "lineage/detector.json",
        "predictions/a.parquet",
    ]


def test_the_model_itself_bears_the_metrics_too(registry, tmp_path):
    version = register(registry, candidate(tmp_path, metrics=METRICS))
    found = registry.client.get_logged_model(version.model_id)
    assert {one.key: one.value for one in found.metrics} == METRICS
    assert str(found.status) == "READY"


def test_another_detector_is_another_version_and_the_newest_stands_first(registry, tmp_path):
    for digest in ("d1", "d2"):
        register(registry, candidate(tmp_path / digest, digest))
    assert [(version.number, version.digest) for version in registry.versions()] == [(2, "d2"), (1, "d1")]
    assert registry.alias("challenger").number == 2
    assert registry.alias("champion") is None
    assert (registry.find("d1").number, registry.find("d3")) == (1, None)


def test_a_version_that_is_not_there_is_answered_with_those_that_are(registry, tmp_path):
    register(registry, candidate(tmp_path))
    with pytest.raises(SetupError, match=r"no version 'chalenger' of dda-detector\. Did you mean 'challenger'\?"):
        registry.version("chalenger")


def test_reading_where_there_is_no_store_finds_nothing_and_makes_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Registry.open(MODEL).versions() == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_told_at_once_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@127.0.0.1:9")
    with pytest.raises(SetupError, match=r"MLflow store http://127\.0\.0\.1:9 does not answer.*check") as told:
        Registry.open(MODEL)
    assert "secret" not in str(told.value)


def test_a_damaged_store_is_told_in_a_sentence(in_store, registry):
    (in_store / "artifacts/mlflow/mlflow.db").write_bytes(b"this is no database\n" * 500)
    with pytest.raises(SetupError, match="cannot open in MLflow store sqlite:"):
        registry.versions()


def test_a_card_that_is_too_long_for_the_store_is_cut_and_says_so(registry, tmp_path):
    wanted = candidate(tmp_path)
    long = type(wanted)(**{**vars(wanted), "card": "word " * 2000})
    register(registry, long)
    described = registry.client.get_model_version(MODEL, "1").description
    assert len(described) == 5000
    assert described.endswith("the rest stands in the detector's card.md")


def test_the_head_of_a_card_is_for_programs_and_in_no_description(registry, tmp_path):
    wanted = candidate(tmp_path)
    register(registry, type(wanted)(**{**vars(wanted), "card": "---\ntags: [a]\n---\n\n# Detector\n\n---\nend"}))
    assert registry.client.get_model_version(MODEL, "1").description == "# Detector\n\n---\nend"


def requests_of(registry, tmp_path):
    """How many requests a registration takes."""
    counting = Stopped(registry.client, -1, registries.fail)
    registry.client = counting
    register(registry, candidate(tmp_path, metrics=METRICS))
    return -1 - counting._left


def test_a_registration_killed_at_any_moment_is_completed_by_the_next_one(empty_store, in_store, tmp_path):
    total = requests_of(Registry.open(MODEL), tmp_path)
    assert total > 15
    for number in range(1, total, 3):
        folder = tmp_path / f"killed-{number}"
        folder.mkdir()
        assert in_a_process_that_dies(empty_store, folder, number) == 9
        check_completed(folder, number)


def in_a_process_that_dies(empty_store, folder, number):
    """The signal that ended a registration in a copied store, whose client kills its process."""
    shutil.copytree(empty_store, folder, dirs_exist_ok=True)
    child = os.fork()
    if not child:
        os.chdir(folder)
        registry = Registry.open(MODEL)
        registry.client = Stopped(registry.client, number, registries.die)
        register(registry, candidate(folder / "scratch", metrics=METRICS))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def check_completed(folder, number):
    with contextlib.chdir(folder):
        registry = Registry.open(MODEL)
        version = register(registry, candidate(folder / "scratch", metrics=METRICS))
        assert everything(registry) == ONE, number
        assert version.metrics == METRICS, number
        assert registry.client.get_run(version.run_id).info.status == "FINISHED", number
        assert registry.fetch(version, "detector", folder / "got").is_dir()


def test_a_store_that_goes_away_at_any_request_is_told_and_the_next_registration_completes(in_store, tmp_path):
    total = requests_of(Registry.open(MODEL), tmp_path / "first")
    registry = Registry.open(MODEL)
    client = registry.client
    tried = range(1, total, 2)
    for number in tried:
        wanted = candidate(tmp_path / str(number), f"e{number}", METRICS)
        registry.client = Stopped(client, number, registries.fail)
        with contextlib.suppress(SetupError):  # the last one only gives back the lock
            register(registry, wanted)
        registry.client = client
        register(registry, wanted)
    found = everything(registry)
    made = len(tried) + 1
    assert (len(found["versions"]), found["runs"], found["models"], found["names"]) == (made, made, made, [MODEL])
