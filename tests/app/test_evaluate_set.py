"""`dda evaluate --data`: a set of one's own, judged without a row of the catalog or a parameters file."""

import json
import shutil
import subprocess

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score


@pytest.fixture
def own(line, tiles, tmp_path, monkeypatch):
    """A set of class folders with a broken file, and a detector's folder, where no project is."""
    for name, content in tiles.items():
        path = tmp_path / "mine" / ("real" if name < "d" else "fake/Painter") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "mine/real/broken.png").write_bytes(b"no image")
    shutil.copytree(line.paths.detectors / "embedded", tmp_path / "detector")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words):
    done = subprocess.run(["dda", "evaluate", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_folder_is_judged_without_a_row_or_a_project(own):
    status, out, err = said("detector", "--data", "mine", "--output", "here", "--protocols", "native,jpeg-50")
    assert (status, "21 images under 2 protocols = 40 judged + 2 not judged" in out) == (0, True), err
    table = pd.read_parquet("here/predictions.parquet")
    native = table[(table["protocol"] == "native") & table["error"].isna()]
    metrics = json.loads((own / "here/metrics.json").read_text())["protocols"]
    assert metrics["native"]["auroc"]["value"] == pytest.approx(
        roc_auc_score(native["label"].astype(int), native["logit"])
    )
    assert metrics["native"]["failed"] == metrics["jpeg-50"]["failed"] == 1
    assert set(metrics) == {"native", "jpeg-50"}


def test_asked_again_nothing_is_judged_again(own):
    said("detector", "--data", "mine")
    _, out, _ = said("detector", "--data", "mine")
    assert "20 judged (20 of them before) + 1 not judged" in out


def test_a_table_of_paths_and_labels_is_a_set(own):
    rows = [f"mine/real/{path.name},real" for path in (own / "mine/real").iterdir()]
    rows += [f"mine/fake/Painter/{path.name},fake" for path in (own / "mine/fake/Painter").iterdir()]
    (own / "list.csv").write_text("\n".join(["path,label", *rows, "mine/real/gone.jpg,real"]))
    status, out, err = said("detector", "--data", "list.csv")
    assert (status, "22 images = 20 judged + 2 not judged" in out) == (0, True), err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("detector",), "name either a benchmark or --data"),
        (("detector", "genimage", "--data", "mine"), "name either a benchmark or --data"),
        (("detector", "--data", "gone"), "gone is no such file or folder"),
        (("mine", "--data", "mine"), "no detector in mine"),
        (("detector", "--data", "mine", "--protocols", "jpg"), "no protocol 'jpg': there are native"),
    ],
    ids=["neither", "both", "no set", "no detector", "no protocol"],
)
def test_a_mistake_is_told_in_one_sentence(own, words, told):
    status, _, err = said(*words)
    assert status != 0
    assert told in err
    assert "Traceback" not in err
