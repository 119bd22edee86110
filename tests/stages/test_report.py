import base64
import csv
import html
import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dda import catalog
from dda.io import plots, predictions, tables, tracking
from dda.stages import evaluate, report, train
from tests import judged


def predictions_of(params):
    """The line's only table of predictions, of images as they are."""
    return predictions.selected(tables.read(params.paths.predictions / "embedded/aligned-tiny.parquet"), "native")


def test_numbers_equal_plain_scikit_learn_on_the_predictions(line):
    table = predictions_of(line)
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
    assert re.findall(r'(?:src|href)="(?!data:)([^"]*)', page) == [
        *["leaderboard.html", *["benchmarks/aligned-tiny.html"] * 2, "audit-tiny.html"],
    ]


def test_plots_are_pictures_and_the_table_names_what_was_judged(line):
    for name in ("roc", "scores", "training"):
        assert min(Image.open(line.paths.reports / f"{name}.png").size) > 300
    (row,) = (line.paths.reports / "results.md").read_text().splitlines()[2:]
    assert row.startswith("| embedded on aligned-tiny | ")
    assert row.endswith(" | 5 | 5 | 0 |")


def test_a_second_report_has_the_same_bytes(copied_line):
    before = {path: path.read_bytes() for path in copied_line.paths.reports.rglob("*") if path.is_file()}
    report.run(copied_line)
    assert {path: path.read_bytes() for path in before} == before


def test_every_protocol_has_numbers_of_its_own(copied_line):
    import pandas as pd

    path = copied_line.paths.predictions / "embedded/aligned-tiny.parquet"
    table = predictions_of(copied_line)
    turned = table.assign(protocol="turned", logit=-table["logit"])
    pd.concat([table, turned]).to_parquet(path)
    report.run(copied_line)
    found = json.loads((copied_line.paths.reports / "metrics.json").read_text())["embedded"]["aligned-tiny"]
    assert found["turned"]["auroc"]["value"] == pytest.approx(1 - found["native"]["auroc"]["value"])
    assert "turned" in (copied_line.paths.reports / "benchmarks/aligned-tiny.html").read_text()
    assert "turned" not in (copied_line.paths.reports / "index.html").read_text()


def test_the_detectors_own_thresholds_are_those_of_its_validation(line):
    table = predictions_of(line)
    found = json.loads((line.paths.reports / "metrics.json").read_text())["embedded"]["aligned-tiny"]["native"]
    described = json.loads((line.paths.detectors / "embedded/detector.json").read_text())
    threshold = described["calibration"]["thresholds"]["0.05"]
    expected = balanced_accuracy_score(table["label"], table["logit"] > threshold)
    assert found["balanced_accuracy_at_fpr_0.05"]["value"] == pytest.approx(expected)


def test_the_difference_is_grey_where_images_agree_and_amplified_where_not():
    real, fake = np.full((1, 2, 3), 100, np.uint8), np.array([[[100] * 3, [103] * 3]], np.uint8)
    assert plots.difference(real, fake, 8.0)[0, :, 0].tolist() == [128, 152]


@pytest.fixture
def genimage(reported, monkeypatch):
    """The folder of reports, and the numbers of metrics.json on GenImage by protocol."""
    params, folder = reported
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    metrics = json.loads((params.paths.reports / "metrics.json").read_text())
    return folder / params.paths.reports, metrics["embedded"]["genimage"]


def pages_of(reports):
    return {path.name: path.read_text() for path in reports.rglob("*.html") if not path.name.startswith("audit")}


def test_every_page_is_complete_in_itself(genimage):
    pages = pages_of(genimage[0])
    assert {"index.html", "leaderboard.html", "genimage.html", "aligned-tiny.html"} == set(pages)
    for page in pages.values():
        assert [one for one in re.findall(r'<(?:img|script|iframe)[^>]*src="([^"]*)', page) if one[:5] != "data:"] == []
        assert re.findall(r'<link[^>]*href="(?!data:)', page) == []
        assert "@import" not in page
        assert "url(" not in page


def test_links_between_pages_lead_somewhere(genimage):
    for path in genimage[0].rglob("*.html"):
        for target in re.findall(r'<a[^>]*href="([^"]+)"', path.read_text()):
            place, _, anchor = html.unescape(target).partition("#")
            if not place.startswith(("http", "../documents")) and "documents" not in place:
                page = path.parent / place if place else path
                assert page.is_file(), f"{path.name}: {target}"
                assert not anchor or f'id="{anchor}"' in page.read_text()


def test_a_benchmarks_page_has_the_numbers_of_metrics_json(genimage):
    page = (genimage[0] / "benchmarks/genimage.html").read_text()
    for protocol, summary in genimage[1].items():
        row = re.search(rf'<th scope="row">{protocol}</th>(.*?)</tr>', page, re.DOTALL)[1]
        for name in ("balanced_accuracy", "auroc", "ece", "balanced_accuracy_at_fpr_0.05"):
            number = summary[name]
            shown = f"<td>{number['value']:.3f}<small>{number['low']:.3f} to {number['high']:.3f}</small></td>"
            assert shown in row, f"{protocol}: {name}"


def test_a_benchmarks_page_lists_every_unreadable_image_and_counts_add_up(genimage):
    page = (genimage[0] / "benchmarks/genimage.html").read_text()
    for image in (judged.HOSTILE, "2/fake.png", "4/real.png"):
        assert f'<td class="wide">{html.escape(image).replace("&quot;", "&#34;")}</td>' in page
    summary = genimage[1]["native"]
    assert (summary["images"], summary["failed"], summary["n_real"] + summary["n_fake"]) == (60, 3, 57)
    assert "<td>60</td><td>57</td><td>3</td>" in page


def test_text_from_outside_is_escaped(genimage):
    for page in pages_of(genimage[0]).values():
        assert "<script" not in page
        assert "<img src=x" not in page
        assert "<b>bad" not in page


def test_our_cell_on_the_leaderboard_is_by_the_papers_protocol_and_knows_where_it_is_from(genimage):
    reports, metrics = genimage
    page = (reports / "leaderboard.html").read_text()
    (cell,) = re.findall(r'<td[^>]*data-benchmark="genimage"[^>]*>', page)
    known = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', cell))
    assert float(known["value"]) == pytest.approx(100 * metrics["fakes-q96"]["score"]["value"])
    assert (known["protocol"], known["seed"], known["images"]) == ("fakes-q96", "0", "60")
    weights = json.loads((reports.parent / "artifacts/detectors/embedded/detector.json").read_text())["weights_sha256"]
    assert (known["detector-digest"], len(known["set-digest"])) == (weights, 32)
    line = next(line for line in (reports / "leaderboard.md").read_text().splitlines() if line.startswith("| embedded"))
    assert f"{100 * metrics['fakes-q96']['score']['value']:.1f} ± " in line
    assert known["set-digest"] in (reports / "leaderboard.md").read_text()


def test_printed_numbers_stand_on_the_leaderboard_as_they_were_printed(genimage):
    page = (genimage[0] / "leaderboard.html").read_text()
    for name, row in catalog.table("published").items():
        found = re.findall(rf'data-value="([^"]*)" data-published="{name}"', page)
        assert [float(value) for value in found] == list(row["scores"].values())


def test_files_for_dvc_hold_the_points_of_the_plots(genimage):
    reports, metrics = genimage
    rows = {path.stem: list(csv.DictReader(path.open())) for path in (reports / "plots").iterdir()}
    assert set(rows) == {"roc", "scores", "reliability", "robustness"}
    (point,) = [
        row
        for row in rows["robustness"]
        if "genimage" in row["series"] and row["protocol"] == "jpeg-30" and row["metric"] == "auroc"
    ]
    assert float(point["value"]) == pytest.approx(metrics["jpeg-30"]["auroc"]["value"], abs=1e-5)
    assert sum(int(row["images"]) for row in rows["scores"] if "genimage" in row["series"]) == 57


def test_mlflow_has_the_same_numbers_by_benchmark_and_protocol(genimage):
    from mlflow import MlflowClient

    client = MlflowClient(tracking.store_uri())
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT).experiment_id
    runs = client.search_runs([experiment], "attributes.run_name = 'report embedded'")
    found = runs[0].data
    expected = genimage[1]["jpeg-30"]["auroc"]
    assert found.metrics["genimage/jpeg-30/auroc"] == pytest.approx(expected["value"])
    assert found.metrics["genimage/jpeg-30/auroc_high"] == pytest.approx(expected["high"])
    assert len(found.tags["data_digest.genimage"]) == 32
    assert runs[0].info.status == "FINISHED"


def test_a_report_needs_no_tracking_store(copied_line, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    report.run(copied_line)
    assert any("not usable" in record.getMessage() for record in caplog.records)


def test_pages_of_benchmarks_that_are_no_longer_named_go(copied_line):
    stale = copied_line.paths.reports / "benchmarks/old.html"
    stale.write_text("old")
    report.run(copied_line)
    assert not stale.exists()


def test_a_baseline_without_thresholds_stands_beside_a_detector_on_pages_and_not_on_the_leaderboard(copied_line):
    train.run(copied_line, "metadata")
    evaluate.run(copied_line, "metadata", "aligned-tiny")
    both = copied_line.evaluate.model_copy(update={"detectors": ("embedded", "metadata")})
    report.run(copied_line.model_copy(update={"evaluate": both}))
    page = (copied_line.paths.reports / "benchmarks/aligned-tiny.html").read_text()
    assert "embedded, native" in page
    assert "metadata, native" in page
    assert "fitted on this very benchmark, out of fold" in page
    assert "metadata" not in (copied_line.paths.reports / "leaderboard.html").read_text()
    found = json.loads((copied_line.paths.reports / "metrics.json").read_text())["metadata"]["aligned-tiny"]["native"]
    assert found["auroc"]["value"] == 0.5  # aligned pairs give nothing away
