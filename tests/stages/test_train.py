import hashlib
import json

import pytest

from dda import catalog
from dda.core.errors import SetupError
from dda.io import tracking
from dda.params.sections import Align
from dda.stages import align, train


def digest(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_folder_holds_weights_description_card_and_a_line_per_epoch(line):
    folder = line.paths.detectors / "embedded"
    described = json.loads((folder / "detector.json").read_text())
    log = [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "detector.json",
        "log.jsonl",
        "model.safetensors",
    ]
    assert [entry["epoch"] for entry in log] == [0, 1]
    assert described["selected"] in log
    assert described["preprocessing"] == catalog.get("detectors", "embedded")["preprocessing"]
    assert len(described["data"]["tiny"]["pairs_sha256"]) == 32


def test_the_selected_epoch_is_the_best_on_the_validation_pairs(line):
    folder = line.paths.detectors / "embedded"
    log = [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]
    best = max(log, key=train.rank)
    assert json.loads((folder / "detector.json").read_text())["selected"] == best


def test_the_run_is_in_mlflow_with_parameters_curves_and_data(line):
    import mlflow

    client = mlflow.MlflowClient(tracking.store_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("dda").experiment_id])
    described = json.loads((line.paths.detectors / "embedded/detector.json").read_text())
    assert run.info.status == "FINISHED"
    assert run.data.params["lr"] == str(line.train.lr)
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [0, 1]
    assert run.inputs.dataset_inputs[0].dataset.digest == described["data"]["tiny"]["pairs_sha256"]
    assert {"card.md", "model.safetensors"} <= {file.path for file in client.list_artifacts(run.info.run_id)}


def test_the_same_seed_gives_the_same_weights_and_another_one_others(copied_line):
    folder = copied_line.paths.detectors / "embedded"
    first = digest(folder)
    train.run(copied_line, "embedded")
    assert digest(folder) == first
    other = copied_line.model_copy(update={"train": copied_line.train.model_copy(update={"seed": 1})})
    train.run(other, "embedded")
    assert digest(folder) != first


def test_the_network_can_learn_eight_pairs_by_heart(copied_line):
    """Pairs whose blur is left, which it sees at once: 25 epochs are too few for what alignment leaves."""
    compressed = {"variants": 1, "steps": [{"step": "match_jpeg", "probability": 1.0, "by": "tables"}]}
    section = Align.model_validate(copied_line.align.model_dump() | {"train": compressed})
    align.run(copied_line.model_copy(update={"align": section}), "tiny")
    settings = copied_line.train.model_copy(update={"windows_per_pair": 4, "batch_pairs": 8, "warm_up": 0.0})
    places = train.places({"tiny": copied_line.paths.aligned / "tiny"}, "train")[:8]
    row = catalog.get("detectors", "embedded")
    session = train.start(row, settings.model_copy(update={"epochs": 25}), len(places))
    losses = [train.train_epoch(session, places, epoch) for epoch in range(25)]
    assert losses[-1] < 0.3 < losses[0]


def test_training_goes_on_without_a_tracking_store(copied_line, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = copied_line.paths.detectors / "embedded"
    before = digest(folder)
    train.run(copied_line, "embedded")
    assert digest(folder) == before
    assert "only logged on disk" in caplog.text


def test_a_loss_that_is_no_number_stops_with_the_step(copied_line):
    wild = copied_line.model_copy(update={"train": copied_line.train.model_copy(update={"lr": 1e30})})
    before = digest(copied_line.paths.detectors / "embedded")
    with pytest.raises(SetupError, match=r"the loss is (nan|inf) at step [0-9]+: lower train.lr"):
        train.run(wild, "embedded")
    assert digest(copied_line.paths.detectors / "embedded") == before


def test_the_learning_rate_warms_up_and_ends_near_zero(line):
    settings = line.train.model_copy(update={"lr": 1.0, "warm_up": 0.1})
    rates = [train.learning_rate(step, 100, settings) for step in range(100)]
    assert rates[:2] == [0.1, 0.2]
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)
