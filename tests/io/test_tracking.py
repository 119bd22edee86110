"""MLflow on a SQLite store of its own: what is found there, and that a broken store stops nothing."""

import contextlib
import logging
import subprocess
import sys
import time
from io import BytesIO

import pytest
from PIL import Image

from dda.io import tracking
from dda.io.tracking import Description

PARAMS = {"optimiser": {"lr": 0.002}, "backbone": "resnet10t"}
DATA = {"aligned-tiny": ("artifacts/aligned/tiny", "0123456789abcdef" * 2)}
FIRST_USE = """
import os

import mlflow.store.tracking.sqlalchemy_store
from dda.io import tracking


def use(name):
    with tracking.run(tracking.Description(name, {"lr": 1}, {"data": ("here", "d1")})) as run:
        run.log({"loss": 0.5}, 0)


for name in ("a", "b"):
    if not os.fork():
        use(name)
        os._exit(0)
assert [os.wait()[1] for _ in range(2)] == [0, 0]
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with a store that has been used once: the first use makes all its tables, which takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with tracking.run(Description("first", PARAMS, DATA)) as run:
            run.log({"loss": 2.0, "val_auroc": 0.5}, 0)
            run.log({"loss": 1.0, "val_auroc": 0.75}, 1)
    return folder


@pytest.fixture
def inside(store, monkeypatch):
    monkeypatch.chdir(store)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return store


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder, where there is no store yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def found(query=""):
    """Runs as another client finds them."""
    from mlflow import MlflowClient

    assert tracking.has_runs()
    client = MlflowClient(tracking.store_uri())
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    return client.search_runs([experiment.experiment_id], query)


def train_out_of_memory():
    with tracking.run(Description("failing", {}, {})) as run:
        run.log({"loss": 3.0}, 0)
        raise RuntimeError("out of memory")


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "dda.io.tracking"]


def test_a_run_is_found_with_its_name_parameters_and_last_metrics(inside):
    (run,) = found("attributes.run_name = 'first'")
    assert run.data.params == {"optimiser.lr": "0.002", "backbone": "resnet10t"}
    assert run.data.metrics == {"loss": 1.0, "val_auroc": 0.75}
    assert run.info.status == "FINISHED"


def test_every_step_of_a_metric_is_kept(inside):
    from mlflow import MlflowClient

    (run,) = found("attributes.run_name = 'first'")
    history = MlflowClient(tracking.store_uri()).get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 2.0), (1, 1.0)]


def test_a_run_is_found_by_the_digest_of_its_data(inside):
    (run,) = found(f"dataset.digest = '{DATA['aligned-tiny'][1]}'")
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "aligned-tiny"
    assert "artifacts/aligned/tiny" in given.dataset.source
    assert found("dataset.digest = 'another'") == []


def test_a_run_that_fails_is_kept_as_failed_and_the_error_goes_on(inside):
    with pytest.raises(RuntimeError, match="out of memory"):
        train_out_of_memory()
    (kept,) = found("attributes.run_name = 'failing'")
    assert kept.info.status == "FAILED"
    assert kept.data.metrics == {"loss": 3.0}


def test_an_interrupted_run_is_kept_as_killed(inside):
    with pytest.raises(KeyboardInterrupt), tracking.run(Description("interrupted", {}, {})):
        raise KeyboardInterrupt
    (kept,) = found("attributes.run_name = 'interrupted'")
    assert kept.info.status == "KILLED"


def test_a_run_that_goes_on_is_one_run_with_all_of_its_steps(inside):
    from mlflow import MlflowClient

    described = Description("going on", PARAMS, DATA)
    with contextlib.suppress(KeyboardInterrupt), tracking.run(described) as first:
        first.log({"loss": 2.0}, 0)
        raise KeyboardInterrupt
    with tracking.run(described, first.run_id) as second:
        second.log({"loss": 1.0}, 1)
    (kept,) = found("attributes.run_name = 'going on'")
    assert kept.info.status == "FINISHED"
    history = MlflowClient(tracking.store_uri()).get_metric_history(kept.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 2.0), (1, 1.0)]


def test_a_run_that_the_store_does_not_know_any_more_begins_anew(inside):
    with tracking.run(Description("unknown", {}, {}), "0123456789abcdef0123456789abcdef") as run:
        pass
    (kept,) = found("attributes.run_name = 'unknown'")
    assert kept.info.run_id == run.run_id


def test_many_metrics_travel_together_and_all_arrive(inside):
    from mlflow import MlflowClient

    with tracking.run(Description("many", {}, {})) as run:
        for step in range(1500):
            run.log({"loss": 1.0 / (step + 1), "lr": 0.1}, step)
    history = MlflowClient(tracking.store_uri()).get_metric_history(run.run_id, "loss")
    assert sorted(point.step for point in history) == list(range(1500))


def test_what_the_machine_is_busy_with_is_noted(inside, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    with tracking.run(Description("busy", {}, {})):
        time.sleep(1.0)
    (kept,) = found("attributes.run_name = 'busy'")
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= kept.data.metrics.keys()


def test_a_picture_is_kept_with_its_pixels(inside, tmp_path):
    from mlflow import MlflowClient

    image = Image.new("RGB", (5, 3), "red")
    buffer = BytesIO()
    image.save(buffer, "PNG")
    with tracking.run(Description("with a picture", {}, {})) as run:
        run.log_picture("views.png", buffer.getvalue())
    kept = MlflowClient(tracking.store_uri()).download_artifacts(run.run_id, "views.png", str(tmp_path))
    assert Image.open(kept).convert("RGB").tobytes() == image.tobytes()


def test_the_commit_and_other_tags_are_found(inside):
    with tracking.run(Description("tagged", {}, {}, {"mlflow.source.git.commit": "abc123"})):
        pass
    (kept,) = found("tags.`mlflow.source.git.commit` = 'abc123'")
    assert kept.info.run_name == "tagged"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://name:secret@host:5000/path?token=secret", "http://host:5000/path"),
        ("sqlite:////folder/mlflow.db", "sqlite:////folder/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(monkeypatch, uri, shown):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking.shown_uri() == shown


def test_files_are_kept_below_the_store(inside, tmp_path):
    (tmp_path / "card.md").write_text("a card")
    with tracking.run(Description("with files", {}, {})) as run:
        run.log_files(tmp_path)
    (kept,) = (inside / tracking.STORE / "runs").rglob("card.md")
    assert kept.read_text() == "a card"
    assert run.run_id in kept.parts


def test_a_parameter_that_the_store_refuses_leaves_no_run_open(inside, caplog):
    with tracking.run(Description("refused", {"no such!*": 1}, {})):
        pass
    assert len(warnings_of(caplog)) == 1
    assert all(run.info.status == "FAILED" for run in found("attributes.run_name = 'refused'"))


def test_the_store_is_a_file_below_artifacts_unless_the_environment_names_another(elsewhere, monkeypatch):
    assert tracking.store_uri() == f"sqlite:///{elsewhere}/artifacts/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert tracking.store_uri() == "http://tracking.example:5000"
    assert tracking.has_runs()


def test_a_store_that_was_never_made_has_no_runs_and_asking_makes_none(elsewhere):
    assert not tracking.has_runs()
    assert list(elsewhere.iterdir()) == []


def damage(elsewhere, monkeypatch):
    (elsewhere / tracking.STORE).mkdir(parents=True)
    (elsewhere / tracking.STORE / "mlflow.db").write_bytes(b"this is no database\n" * 500)


def put_a_file_in_the_way(elsewhere, monkeypatch):
    (elsewhere / "artifacts").mkdir()
    (elsewhere / tracking.STORE).write_text("a file where the folder should be")


def take_away(elsewhere, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def misspell(elsewhere, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://tracking")


@pytest.mark.parametrize("breakage", [damage, put_a_file_in_the_way, take_away, misspell])
def test_a_store_that_cannot_be_used_is_one_warning_and_the_block_goes_on(elsewhere, monkeypatch, caplog, breakage):
    breakage(elsewhere, monkeypatch)
    steps = []
    with caplog.at_level(logging.WARNING), tracking.run(Description("a", PARAMS, DATA)) as run:
        for step in range(3):
            run.log({"loss": 1.0}, step)
            steps.append(step)
        run.log_files(elsewhere)
    assert steps == [0, 1, 2]
    assert len(warnings_of(caplog)) == 1


def test_an_error_in_the_block_goes_on_where_the_store_cannot_be_used(elsewhere, monkeypatch):
    misspell(elsewhere, monkeypatch)
    with pytest.raises(RuntimeError, match="out of memory"):
        train_out_of_memory()


def test_a_store_that_breaks_during_a_run_is_said_once(inside, elsewhere, monkeypatch, caplog):
    (elsewhere / tracking.STORE).mkdir(parents=True)
    database = elsewhere / tracking.STORE / "mlflow.db"
    database.write_bytes((inside / tracking.STORE / "mlflow.db").read_bytes())
    with caplog.at_level(logging.WARNING), tracking.run(Description("a", PARAMS, DATA)) as run:
        run.log({"loss": 2.0}, 0)
        database.write_bytes(b"this is no database any more\n" * 500)
        for step in range(1, 4):
            run.log({"loss": 1.0}, step)
    assert len(warnings_of(caplog)) == 1


@pytest.mark.slow
def test_two_processes_that_use_a_new_store_at_once_both_keep_their_runs(elsewhere):
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {run.info.run_name: run.info.status for run in found()} == {"a": "FINISHED", "b": "FINISHED"}, done.stderr
