import base64
import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dda.io import plots, tables
from dda.stages import report


def test_numbers_equal_plain_scikit_learn_on_the_predictions(line):
    table = tables.read(line.paths.predictions / "embedded/aligned-tiny.parquet")
    found = json.loads((line.paths.reports / "metrics.json").read_text())["embedded"]["aligned-tiny"]["native"]
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(table["label"], table["logit"]))
    expected = balanced_accuracy_score(table["label"], table["logit"] > 0)
    assert found["balanced_accuracy"]["value"] == pytest.approx(expected)
    assert 0 <= found["auroc"]["low"] < found["auroc"]["high"] <= 1
    assert (found["n_real"], found["n_fake"], found["failed"]) == (5, 5, 0)


def test_the_page_is_complete_in_itself_and_shows_every_pair_four_times(line):
    page = (line.paths.reports / "index.html").read_text()
    pictures = re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', page)
    assert len(pictures) == 3 + 4 * line.report.gallery_pairs
    assert all(Image.open(BytesIO(base64.b64decode(picture))).size[0] > 50 for picture in pictures)
    assert re.findall(r'(?:src|href)="(?!data:)([^"]*)', page) == ["audit-tiny.html"]


def test_plots_are_pictures_and_the_table_names_what_was_judged(line):
    for name in ("roc", "scores", "training"):
        assert min(Image.open(line.paths.reports / f"{name}.png").size) > 300
    (row,) = (line.paths.reports / "results.md").read_text().splitlines()[2:]
    assert row.startswith("| embedded on aligned-tiny | ")
    assert row.endswith(" | 5 | 5 | 0 |")


def test_a_second_report_has_the_same_bytes(copied_line):
    before = {path: path.read_bytes() for path in copied_line.paths.reports.iterdir() if path.is_file()}
    report.run(copied_line)
    assert {path: path.read_bytes() for path in before} == before


def test_text_from_outside_is_escaped(copied_line):
    path = copied_line.paths.predictions / "embedded/aligned-tiny.parquet"
    table = tables.read(path)
    extra = table.iloc[:1].assign(image_id="<script>alert(1)</script>", logit=float("nan"), error="<b>bad</b>")
    np.testing.assert_equal(len(extra), 1)
    import pandas as pd

    pd.concat([table, extra]).to_parquet(path)
    report.run(copied_line)
    page = (copied_line.paths.reports / "index.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;bad" in page


def test_every_protocol_has_numbers_of_its_own(copied_line):
    import pandas as pd

    path = copied_line.paths.predictions / "embedded/aligned-tiny.parquet"
    table = tables.read(path)
    turned = table.assign(protocol="turned", logit=-table["logit"])
    pd.concat([table, turned]).to_parquet(path)
    report.run(copied_line)
    found = json.loads((copied_line.paths.reports / "metrics.json").read_text())["embedded"]["aligned-tiny"]
    assert found["turned"]["auroc"]["value"] == pytest.approx(1 - found["native"]["auroc"]["value"])
    assert "embedded on aligned-tiny, turned" in (copied_line.paths.reports / "index.html").read_text()


def test_the_detectors_own_thresholds_are_those_of_its_validation(line):
    table = tables.read(line.paths.predictions / "embedded/aligned-tiny.parquet")
    found = json.loads((line.paths.reports / "metrics.json").read_text())["embedded"]["aligned-tiny"]["native"]
    described = json.loads((line.paths.detectors / "embedded/detector.json").read_text())
    threshold = described["calibration"]["thresholds"]["0.05"]
    expected = balanced_accuracy_score(table["label"], table["logit"] > threshold)
    assert found["balanced_accuracy_at_fpr_0.05"]["value"] == pytest.approx(expected)


def test_the_difference_is_grey_where_images_agree_and_amplified_where_not():
    real, fake = np.full((1, 2, 3), 100, np.uint8), np.array([[[100] * 3, [103] * 3]], np.uint8)
    assert plots.difference(real, fake, 8.0)[0, :, 0].tolist() == [128, 152]
