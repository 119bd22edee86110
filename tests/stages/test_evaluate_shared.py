"""Real photographs and real generators' images in the trees of five benchmarks: found, judged, counted, scored."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from dda.core import scores
from dda.io import tables
from dda.io.detecting import Detector
from dda.stages import evaluate

SHARED = Path(__file__).parents[2] / "../shared/data"
NAMES = ("genimage", "forensynths", "synthbuster", "evalgen", "chameleon")
SCORED = {"evalgen": "_0."}
"""What a benchmark's authors score: the names of its other files lack this."""
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")


@pytest.fixture(scope="module")
def truth():
    """What the manifest says: benchmark, sha256, kind."""
    rows = json.loads((SHARED / "manifest.json").read_text())
    table = pd.DataFrame([row for row in rows if row["path"].startswith("benchmarks/")])
    table["benchmark"] = table["path"].str.split("/").str[1].str.removesuffix("-mini")
    scored = [
        SCORED.get(name, "") in Path(path).name for name, path in zip(table["benchmark"], table["path"], strict=True)
    ]
    return table[scored].set_index("sha256")


@pytest.fixture(params=NAMES)
def judged(request, copied_line):
    """A benchmark with three bad files, judged under two protocols: its name, folder and table."""
    root = copied_line.paths.benchmarks / request.param
    shutil.copytree(SHARED / f"benchmarks/{request.param}-mini", root)
    good = sorted(path for path in root.rglob("*_0.*" if request.param in SCORED else "*") if path.is_file())[-1]
    for name, content in {"empty": b"", "text": b"no image", "half": good.read_bytes()[:2000]}.items():
        good.with_name(f"{name}_0{good.suffix}").write_bytes(content)
    asked = copied_line.evaluate.model_copy(update={"protocols": ("native", "fakes-q96")})
    evaluate.run(copied_line.model_copy(update={"evaluate": asked}), "embedded", request.param)
    table = tables.read(copied_line.paths.predictions / f"embedded/{request.param}.parquet")
    return request.param, root, table


def test_every_image_is_there_with_its_label_and_bad_ones_with_their_reason(judged, truth):
    name, _, table = judged
    for _, rows in table.groupby("protocol"):
        bad = rows[rows["error"].notna()]
        assert sorted(Path(image).stem for image in bad["image_id"]) == ["empty_0", "half_0", "text_0"]
        expected = truth[truth["benchmark"] == name]
        found = rows[rows["error"].isna()].set_index("sha256")
        assert sorted(found.index) == sorted(expected.index)
        assert (found["label"].map({0: "real", 1: "fake"}) == expected["kind"].reindex(found.index)).all()


def test_numbers_are_those_of_scikit_learn_on_logits_computed_apart(judged, copied_line):
    _, root, table = judged
    native = table[(table["protocol"] == "native") & table["error"].isna()]
    pictures = [Image.open(root / image) for image in native["image_id"]]
    logits = [one.logit for one in Detector.load(copied_line.paths.detectors / "embedded").predict(pictures)]
    assert native["logit"].to_list() == pytest.approx(logits, abs=1e-4)
    labels = native["label"].to_numpy(int)
    summary = scores.summarise(table[table["protocol"] == "native"], scores.Settings(samples=100))
    assert summary["failed"] == 3
    if set(labels) == {1}:
        assert summary["auroc"] is None
        assert summary["accuracy_fake"]["value"] == pytest.approx((native["logit"] > 0).mean())
        return
    values = native["logit"].to_numpy(float)
    assert summary["auroc"]["value"] == pytest.approx(roc_auc_score(labels, values))
    assert summary["average_precision"]["value"] == pytest.approx(average_precision_score(labels, values))
    assert summary["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(labels, values > 0))
