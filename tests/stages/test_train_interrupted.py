"""`dda train` that is killed, as a process of its own: whoever runs it again gets what nobody interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dda.io import tracking

DDA = [sys.executable, "-c", "from dda.cli import main; main()", "train", "embedded"]
FOLDER, STATE = Path("artifacts/detectors/embedded"), Path("artifacts/checkpoints/embedded")


def log(path):
    """What a log says, without what a clock says."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_s"} for line in lines]


def killed(step):
    """Train, and kill it with nine once its state is that of a step or a later one; the last step that is kept."""
    process = subprocess.Popen(DDA, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and kept_steps() < step:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return kept_steps()


def kept_steps():
    path = STATE / "log.jsonl"
    return max((line["step"] for line in log(path)), default=0) if path.is_file() else 0


@pytest.mark.slow
def test_a_run_killed_twice_ends_like_one_that_was_never_killed(copied_line):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["train"] |= {"epochs": 4, "batch_pairs": 2, "micro_batch_pairs": 1}
    values["train"]["machine"] |= {"checkpoint_s": 0}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    subprocess.run(DDA, check=True, capture_output=True)
    whole, weights = log(FOLDER / "log.jsonl"), (FOLDER / "model.safetensors").read_bytes()
    assert len([line for line in whole if "lr" in line]) == 20
    (FOLDER / "detector.json").unlink()
    first = killed(4)
    second = killed(12)
    assert 4 <= first < second < 20
    assert not (FOLDER / "detector.json").exists()
    subprocess.run(DDA, check=True, capture_output=True)
    assert log(FOLDER / "log.jsonl") == whole
    assert (FOLDER / "model.safetensors").read_bytes() == weights
    facts = json.loads((FOLDER / "run.json").read_text())
    assert len(facts["resumed_at_steps"]) == 2
    assert not STATE.exists()
    assert_tracked_once(facts["run_id"])


def assert_tracked_once(run_id):
    """The tracking store has one run for all three processes, with every update."""
    import mlflow

    client = mlflow.MlflowClient(tracking.store_uri())
    runs = client.search_runs([client.get_experiment_by_name(tracking.EXPERIMENT).experiment_id])
    assert run_id in {run.info.run_id for run in runs}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {metric.step for metric in client.get_metric_history(run_id, "loss")} >= set(range(1, 21))
