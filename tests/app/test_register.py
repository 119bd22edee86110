"""`dda register`, `models` and `lineage` on a finished project whose stages DVC knows."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dda import params as parameters
from dda.app import lineage, models, register, smoke
from dda.core.errors import SetupError
from dda.io.registry import Registry
from tests.registries import MODEL, ONE, everything

ROOT = Path(__file__).parents[2]


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def known_to_dvc(finished, empty_store, tmp_path_factory):
    """The finished project, with an MLflow store, whose outputs DVC has taken over as those of its stages."""
    import contextlib

    folder = tmp_path_factory.mktemp("known") / "project"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "artifacts/mlflow", ignore_errors=True)
    shutil.copytree(empty_store / "artifacts/mlflow", folder / "artifacts/mlflow")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "data/rejected.json").write_text("[]\n")
    with contextlib.chdir(folder):
        run("git", "init", "-q")
        run("dvc", "init", "-q")
        run("dvc", "add", "-q", "data")
        run("dvc", "commit", "-q", "--force")
    return folder


@pytest.fixture
def project(known_to_dvc, tmp_path, monkeypatch):
    """The parameters of a copy of that project, which is the current folder."""
    shutil.copytree(known_to_dvc, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return parameters.load(Path("params.yaml"))


def go(params, capsys, detector=None):
    register.run(params, Path("params.yaml"), detector, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_a_detector_becomes_the_challenger_and_can_say_what_made_it(project, capsys):
    done = go(project, capsys)
    assert (done["version"], done["new"], done["aliases"], done["made_by_dvc"]) == (1, True, ["challenger"], True)
    assert (done["evaluated"], done["not_evaluated"]) == (["aligned-tiny"], [])
    again = go(project, capsys)
    assert again == {**done, "new": False}
    registry = Registry.open(MODEL)
    assert everything(registry) == ONE
    check_version(registry, project)
    check_models(project, capsys)
    check_lineage(project, capsys)
    smoke.check(registry, "challenger")


def check_version(registry, params):
    version = registry.version("1")
    metrics = json.loads((params.paths.reports / "metrics.json").read_text())["embedded"]["aligned-tiny"]
    told = metrics["native"]["auroc"]
    for name, key in (("", "value"), ("_low", "low"), ("_high", "high")):
        assert version.metrics[f"aligned-tiny/native/auroc{name}"] == told[key]
    assert "aligned-tiny/jpeg-50/balanced_accuracy" in version.metrics
    described = json.loads((params.paths.detectors / "embedded/detector.json").read_text())
    assert version.tags["dda.pairs.tiny"] == described["data"]["tiny"]["pairs_sha256"]
    assert (version.tags["dda.audit.tiny"], version.tags["dda.licence"]) == ("passed", "Apache-2.0")
    kept = registry.fetch(version, "predictions", Path("kept")) / "aligned-tiny.parquet"
    assert kept.read_bytes() == (params.paths.predictions / "embedded/aligned-tiny.parquet").read_bytes()


def check_models(params, capsys):
    models.run(params, as_json=True)
    (one,) = json.loads(capsys.readouterr().out)["versions"]
    assert (one["version"], one["detector"], one["vaes"], one["gate"]) == (1, "embedded", ["tiny"], None)
    score = one["scores"]["aligned-tiny"]
    assert score["low"] <= score["value"] <= score["high"]
    models.run(params, as_json=False)
    assert f"{score['value']:.3f}" in capsys.readouterr().out


def check_lineage(params, capsys):
    lineage.run(params, "challenger", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["photos"]["used"] == 20
    assert told["photos"]["files"] == 21
    assert told["photos"]["md5"].endswith(".dir")
    assert told["vaes"]["tiny"]["row"]["class"] == "AutoencoderTiny"
    assert told["vaes"]["tiny"]["reconstruct"]["fit"] == "pad"
    assert told["vaes"]["tiny"]["audit"]["passed"]
    assert sum(told["vaes"]["tiny"]["pairs"]["splits"].values()) == 20
    assert told["alignment"]["train"]["steps"][0]["step"] == "mix_frequencies"
    assert told["training"]["run"]["command"][0] == "dda"
    assert told["evaluation"]["aligned-tiny"]["stage"] == "evaluate@embedded-tiny"
    lineage.run(params, "1", as_json=False)
    assert "20 of 20 photos used" in capsys.readouterr().out


def test_a_detector_that_is_not_what_its_inputs_make_is_refused(project, capsys):
    path = Path("src/dda/core/schedules.py")
    path.write_text(path.read_text() + "\n# another\n")
    with pytest.raises(SetupError, match=r"lists train@embedded\. Run `dvc repro train@embedded`"):
        go(project, capsys)
    assert Registry.open(MODEL).versions() == []


def test_what_is_not_evaluated_yet_is_named_and_comes_with_the_next_call(project, capsys):
    path = Path("src/dda/io/layouts.py")
    before = path.read_text()
    path.write_text(before + "\n# another\n")
    first = go(project, capsys)
    assert (first["evaluated"], first["not_evaluated"], first["metrics"]) == ([], ["aligned-tiny"], 0)
    path.write_text(before)
    second = go(project, capsys)
    assert (second["version"], second["evaluated"], second["metrics"] > 100) == (1, ["aligned-tiny"], True)
    assert Registry.open(MODEL).version("1").tags["dda.not_evaluated"] == "none"


def test_a_report_that_is_not_up_to_date_gives_no_metrics_but_predictions(project, capsys):
    path = Path("src/dda/io/results.py")
    path.write_text(path.read_text() + "\n# another\n")
    done = go(project, capsys)
    assert (done["evaluated"], done["metrics"], done["reported"]) == (["aligned-tiny"], 0, False)
    register.run(project, Path("params.yaml"), None, as_json=False)
    assert "no metrics, as the report is not up to date" in capsys.readouterr().out


def test_a_detector_that_dvc_did_not_make_is_registered_and_says_so(project, capsys):
    shutil.copytree("artifacts/detectors/embedded", "artifacts/detectors/imported")
    path = Path("artifacts/detectors/imported/detector.json")
    described = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("data", "training")}
    path.write_text(json.dumps({**described, "source": {"file": "x.pth", "bytes": 3, "sha256": "abc"}}))
    done = go(project, capsys, "imported")
    assert (done["made_by_dvc"], done["evaluated"], done["metrics"]) == (False, [], 0)
    lineage.run(project, "challenger", as_json=False)
    told = capsys.readouterr().out
    assert "DVC did not make it" in told
    assert "imported from file x.pth" in told


def test_a_champion_that_is_registered_again_stays_only_that(project, capsys):
    go(project, capsys)
    registry = Registry.open(MODEL)
    registry.move("champion", registry.version("1"))
    registry.client.delete_registered_model_alias(MODEL, "challenger")
    assert go(project, capsys)["aliases"] == ["champion"]


def test_weights_of_another_logit_fail_the_smoke_test(project, capsys):
    go(project, capsys)
    registry = Registry.open(MODEL)
    (path,) = Path("artifacts/mlflow/runs").rglob("artifacts/fixtures.json")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "logits": [one + 0.001 for one in kept["logits"]]}))
    with pytest.raises(SetupError, match=r"challenger \(version 1\) gives logits that are not its detector's"):
        smoke.check(registry, "challenger")


def test_inside_of_a_dvc_stage_nothing_is_registered(project, capsys, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@embedded")
    with pytest.raises(SetupError, match="inside of the DVC stage 'train@embedded'"):
        go(project, capsys)


def test_a_detector_without_weights_is_refused(project, capsys):
    folder = Path("artifacts/detectors/theirs")
    folder.mkdir()
    (folder / "detector.json").write_text('{"kind": "callable", "name": "theirs"}')
    with pytest.raises(SetupError, match="of kind 'callable', which has no weights of its own"):
        go(project, capsys, "theirs")


def test_a_detector_that_is_not_there_is_told(project, capsys):
    with pytest.raises(SetupError, match="no detector in artifacts/detectors/nobody"):
        go(project, capsys, "nobody")


def test_a_store_that_is_away_is_told_and_nothing_is_lost(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = subprocess.run([sys.executable, "-m", "dda", "register"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dda: MLflow store http://127.0.0.1:9 does not answer")
    assert len(done.stderr.splitlines()) == 1


def test_without_versions_the_verbs_say_what_to_do(project, capsys):
    models.run(project, as_json=False)
    assert "no version of dda-detector yet: make one by `dda register`" in capsys.readouterr().out
    with pytest.raises(SetupError, match="no version 'champion' of dda-detector"):
        lineage.run(project, "champion", as_json=False)
