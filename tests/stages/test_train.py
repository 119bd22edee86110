"""`dda train` on a small project: what its folder holds, what its run tells, and what it refuses."""

import hashlib
import json

import pytest
import yaml
from PIL import Image

from dda import Detector, catalog
from dda.core.errors import SetupError
from dda.io import pairs, tables, tracking, versioning
from dda.io.trainer import rank
from dda.stages import train

FILES = ["card.md", "detector.json", "log.jsonl", "model.safetensors", "run.json"]


def digest(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def lines(folder, judged):
    log = [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in log if ("val_loss" in line) is judged]


def changed(params, **sections):
    """The parameters with keys of `train` changed."""
    values = params.train.model_dump()
    for name, value in sections.items():
        values[name] = values[name] | value if isinstance(value, dict) else value
    return params.model_copy(update={"train": type(params.train).model_validate(values)})


@pytest.fixture
def folder(line):
    return line.paths.detectors / "embedded"


@pytest.fixture
def described(folder):
    return json.loads((folder / "detector.json").read_text())


def test_the_folder_holds_weights_description_card_log_and_run(folder, described):
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert described["preprocessing"] == catalog.get("detectors", "embedded")["preprocessing"]
    assert described["labels"] == {"real": 0, "fake": 1}
    assert described["weights_sha256"] == digest(folder)
    assert len(described["data"]["tiny"]["pairs_sha256"]) == 32


def test_the_log_has_a_line_for_every_update_and_every_validation(line, folder):
    n_pairs = len(pairs.load(line.paths.aligned / "tiny", "train").rows)
    steps = line.train.epochs * -(-n_pairs // line.train.batch_pairs)
    assert [entry["step"] for entry in lines(folder, judged=False)] == list(range(1, steps + 1))
    assert [entry["epoch"] for entry in lines(folder, judged=True)] == [1.0, 2.0]
    assert all(entry["images_per_s"] > 0 for entry in lines(folder, judged=True))


def test_the_selected_state_is_the_best_on_the_validation_pairs(folder, described):
    best = max(lines(folder, judged=True), key=rank)
    assert described["selected"] == {name: value for name, value in best.items() if name != "images_per_s"}


def test_the_score_is_calibrated_on_the_validation_pairs(line, folder, described):
    fitted = described["calibration"]
    validation = pairs.load(line.paths.aligned / "tiny", "val")
    n_pairs = len(validation.rows)
    assert fitted["fitted_on"] == {"split": "val", "vaes": ["tiny"], "real": n_pairs, "fake": n_pairs}
    detector = Detector.load(folder, "cpu")
    reals = [one.logit for one in detector.predict([validation.pixels(row, "real") for row in validation.rows])]
    assert fitted["thresholds"]["0.01"] == pytest.approx(max(reals), abs=1e-4)
    assert fitted["temperature"] > 0


def test_run_json_says_where_the_run_is_and_what_made_it(folder):
    facts = json.loads((folder / "run.json").read_text())
    assert facts["tracking_uri"] == tracking.store_uri()
    assert facts["device"] == "cpu"
    assert facts["resumed_at_steps"] == []
    assert {"torch", "timm", "peft", "accelerate"} <= facts["versions"].keys()


def test_the_run_is_in_mlflow_with_parameters_curves_pictures_and_data(line, folder, described):
    import mlflow

    client = mlflow.MlflowClient(tracking.store_uri())
    experiment = client.get_experiment_by_name("dda").experiment_id
    (run,) = client.search_runs([experiment], "attributes.run_name = 'train embedded'")
    assert run.info.run_id == json.loads((folder / "run.json").read_text())["run_id"]
    assert run.info.status == "FINISHED"
    assert run.data.params["train.optimiser.lr"] == str(line.train.optimiser.lr)
    assert run.data.params["detector.backbone"] == "resnet10t"
    updates = lines(folder, judged=False)
    for name in ("loss", "lr", "grad_norm"):
        assert [m.value for m in client.get_metric_history(run.info.run_id, name)] == [one[name] for one in updates]
    assert run.data.metrics.keys() >= {"val_loss", "val_auroc", "val_balanced_accuracy", "images_per_s", "train_loss"}
    assert run.inputs.dataset_inputs[0].dataset.digest == described["data"]["tiny"]["pairs_sha256"]
    assert {"views.png", *FILES} <= {file.path for file in client.list_artifacts(run.info.run_id)}
    picture = Image.open(client.download_artifacts(run.info.run_id, "views.png"))
    assert picture.width >= 2 * 128
    assert len(set(picture.resize((20, 20)).getdata())) > 100


def test_the_data_are_named_by_the_digest_that_dvc_knows(copied_line):
    md5 = "0123456789abcdef0123456789abcdef.dir"
    stage = {"cmd": "dda align tiny", "outs": [{"path": str(copied_line.paths.aligned / "tiny"), "md5": md5}]}
    with open("dvc.lock", "w") as file:  # noqa: PTH123 - beside the parameters, as DVC writes it
        yaml.safe_dump({"schema": "2.0", "stages": {"align@tiny": stage}}, file)
    assert versioning.recorded_digest(copied_line.paths.aligned / "tiny") == md5
    assert versioning.recorded_digest(copied_line.paths.aligned / "other") is None
    train.run(copied_line, "embedded")
    import mlflow

    client = mlflow.MlflowClient(tracking.store_uri())
    found = client.search_runs([client.get_experiment_by_name("dda").experiment_id], f"dataset.digest = '{md5}'")
    assert len(found) == 1


def test_the_same_seed_gives_the_same_detector_and_another_one_another(copied_line):
    folder = copied_line.paths.detectors / "embedded"
    first, described = digest(folder), (folder / "detector.json").read_text()
    train.run(copied_line, "embedded")
    assert digest(folder) == first
    assert (folder / "detector.json").read_text() == described
    train.run(changed(copied_line, seed=1), "embedded")
    assert digest(folder) != first


def test_training_goes_on_without_a_tracking_store(copied_line, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = copied_line.paths.detectors / "embedded"
    before = digest(folder), lines(folder, judged=False)
    train.run(copied_line, "embedded")
    assert (digest(folder), lines(folder, judged=False)) == before
    assert "only logged on disk" in caplog.text
    assert "secret" not in caplog.text
    assert json.loads((folder / "run.json").read_text())["run_id"] is None


def test_a_loss_that_is_no_number_stops_with_the_step_and_leaves_the_detector_alone(copied_line):
    before = digest(copied_line.paths.detectors / "embedded")
    with pytest.raises(SetupError, match=r"the loss is (nan|inf).* at step [0-9]+: lower train.optimiser.lr"):
        train.run(changed(copied_line, optimiser={"lr": 1e30}), "embedded")
    assert digest(copied_line.paths.detectors / "embedded") == before


@pytest.mark.parametrize("split", ["train", "val"])
def test_an_empty_split_is_a_sentence(copied_line, split):
    path = copied_line.paths.aligned / "tiny/pairs.parquet"
    table = tables.read(path)
    table.loc[table["split"] == split, "split"] = "test"
    table.to_parquet(path)
    with pytest.raises(SetupError, match=f"no pairs of split '{split}'"):
        train.run(copied_line, "embedded")


def test_an_image_that_cannot_be_read_is_a_sentence_that_names_the_pair(copied_line):
    folder = copied_line.paths.aligned / "tiny"
    row = pairs.load(folder, "train").rows[0]
    with (folder / row["shard"]).open("r+b") as file:
        file.seek(row["fake_offset"])
        file.write(b"\0" * row["fake_size"])
    with pytest.raises(SetupError, match=f"{row['fake_name']} of .*: fetch or make the set again"):
        train.run(copied_line, "embedded")


def test_the_profile_of_the_released_code_moves_adapters_twice(copied_line, tmp_path):
    """A step of Adam at its beginning has the length of the rate: twice that where weights stand twice in its list."""
    from dda.io import loader
    from tests import training

    moved = {}
    for twice in (False, True):
        chosen = training.settings(
            ".", optimiser={"adapters_twice": twice, "weight_decay": 0.0}, schedule={"kind": "constant", "warm_up": 0.0}
        )
        made = training.trainer(".", chosen, tmp_path, training.ROW | training.LORA)
        before = made.engine.weights()
        views = loader.PairViews.of(made.training, chosen, 32)
        made.engine.update(0, 1, [loader._joined([views[draw] for draw in made.plan.update(0)])])
        after = made.engine.weights()
        moved[twice] = {name: float((after[name] - before[name]).abs().max()) for name in after}
    rate = copied_line.train.optimiser.lr
    adapters = [name for name in moved[True] if "lora_B" in name]
    heads = [name for name in moved[True] if "head.modules_to_save" in name]
    assert adapters
    assert heads
    assert all(moved[False][name] == pytest.approx(rate, rel=0.02) for name in [*adapters, *heads])
    assert all(moved[True][name] == pytest.approx(2 * rate, rel=0.02) for name in adapters)
    assert all(moved[True][name] == pytest.approx(rate, rel=0.02) for name in heads)
