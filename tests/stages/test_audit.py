import json
import re

import pytest

from dda.core.errors import AuditError
from dda.io import atomic, tables
from dda.params.sections import Align
from dda.stages import align, audit


def stamp(params):
    return json.loads((params.paths.audits / "tiny.json").read_text())


def edit_pairs(params, change):
    """Damage the pairs' table as a bug in an earlier stage would."""
    path = params.paths.aligned / "tiny/pairs.parquet"
    table = tables.read(path)
    changed = change(table)
    with atomic.whole(path) as temporary:
        (table if changed is None else changed).to_parquet(temporary, index=False)


def failed(params):
    with pytest.raises(AuditError) as caught:
        audit.run(params, "tiny")
    broken = [one for one in stamp(params)["expectations"] if not one["success"]]
    assert all(one["name"] in str(caught.value) for one in broken if one["severity"] == "critical")
    named = [one["name"] for one in broken]
    assert not stamp(params)["passed"]
    return named


def test_an_aligned_set_passes_and_the_stamp_holds_no_time(line):
    written = (line.paths.audits / "tiny.json").read_text()
    assert stamp(line)["passed"]
    assert stamp(line)["pairs"] == 20
    assert "202" not in written
    assert (line.paths.documents / "audit/tiny/index.html").is_file()


def realigned(params, *steps):
    """The parameters, after every pair was aligned by these steps."""
    settings = {"variants": 1, "steps": steps}
    section = Align.model_validate(params.align.model_dump() | {"train": settings, "held_out": settings})
    changed = params.model_copy(update={"align": section})
    align.run(changed, "tiny")
    return changed


MATCH = {"step": "match_jpeg", "probability": 1.0, "by": "tables"}


def test_a_set_whose_fakes_were_left_unaligned_fails_by_name_and_every_probe_but_statistics_flags_it(copied_line):
    assert failed(realigned(copied_line)) == ["fakes have the compression of their reals"]
    flagged = {one["probe"] for one in stamp(copied_line)["probes"] if not one["passed"]}
    assert flagged >= {"file_facts", "file_size", "block_grid", "spectrum"}
    assert stamp(copied_line)["biases"][0]["fact"] == "format"


def test_compression_alone_leaves_the_spectrum_and_the_gate_says_so(copied_line):
    with pytest.raises(AuditError, match=r"spectrum tells real from fake: AUROC 0\.[89].*limit 0\.6"):
        audit.run(realigned(copied_line, MATCH), "tiny")
    found = {one["probe"]: one for one in stamp(copied_line)["probes"]}
    assert found["file_facts"]["auroc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert found["file_facts"]["before"]["value"] > 0.99
    assert not found["spectrum"]["passed"]
    assert stamp(copied_line)["biases"] == []
    assert stamp(copied_line)["spectral_gap_db"]["fake"][-1] > 3


def test_every_probe_passes_the_aligned_set_and_is_told_with_its_interval_and_what_it_was_before(line):
    for one in stamp(line)["probes"]:
        assert one["passed"], one
        assert one["auroc"]["low"] <= one["auroc"]["value"] <= one["auroc"]["high"]
        assert one["auroc"]["value"] <= one["limit"] == line.audit.limits.model_dump()[one["probe"]]
        assert one["before"]["value"] >= one["auroc"]["value"] - 0.05
    gap = stamp(line)["spectral_gap_db"]
    assert max(map(abs, gap["fake"])) < 0.5 < max(gap["raw"])


def test_the_same_audit_writes_the_same_stamp_and_the_same_page(copied_line):
    files = [copied_line.paths.audits / "tiny.json", copied_line.paths.reports / "audit-tiny.html"]
    before = [path.read_bytes() for path in files]
    audit.run(copied_line, "tiny")
    assert [path.read_bytes() for path in files] == before


def test_the_page_shows_verdicts_plots_expectations_and_pairs_and_links_data_docs(line):
    page = (line.paths.reports / "audit-tiny.html").read_text()
    assert page.count('<div class="pair">') == line.audit.gallery_pairs
    assert page.count('src="data:image/') == 2 + 4 * line.audit.gallery_pairs
    assert "block grid" in page
    link = re.search(r'<a href="([^"]+)">Data Docs', page)[1]
    assert (line.paths.reports / link).is_file()
    assert "http" not in page


def test_a_reconstruction_unlike_its_photo_fails_by_name(copied_line):
    path = copied_line.paths.reconstructions / "tiny/manifest.parquet"
    table = tables.read(path)
    table.loc[0, "psnr"] = 9.0
    table.to_parquet(path, index=False)
    assert failed(copied_line) == ["every reconstruction resembles its photo"]


def test_a_photo_in_two_splits_is_a_warning_and_no_failure(copied_line):
    table = tables.read(copied_line.paths.index)
    twins = [table.index[table["split"] == split][0] for split in ("train", "test")]
    table.loc[twins[0], "sha256"] = table.loc[twins[1], "sha256"]
    table.to_parquet(copied_line.paths.index, index=False)
    edit_pairs(copied_line, lambda pairs: pairs[pairs["image_id"] != table.loc[twins[0], "image_id"]])
    broken = failed(copied_line)
    assert set(broken) == {"no photo lies in two splits, byte for byte", "every reconstruction is in the pairs"}
    severity = {one["name"]: one["severity"] for one in stamp(copied_line)["expectations"]}
    assert severity[broken[0]] == "warning"


def test_a_real_that_is_not_its_photo_any_more_fails_by_name(copied_line):
    edit_pairs(copied_line, lambda table: table.__setitem__("real_sha256", "0" * 64))
    assert failed(copied_line) == ["a real JPEG is the photo's file, byte for byte"]


def test_no_more_pairs_are_probed_than_asked_for(copied_line):
    few = copied_line.audit.model_copy(update={"probed_pairs": 8})
    audit.run(copied_line.model_copy(update={"audit": few}), "tiny")
    assert "on 8 of them" in stamp(copied_line)["summary"]


def test_a_set_that_only_claims_to_be_matched_fails_by_name(copied_line):
    edit_pairs(copied_line, lambda table: table.__setitem__("fake_jpeg_tables", "0" * 16))
    assert failed(copied_line) == ["real and fake have the same jpeg_tables"]


@pytest.mark.parametrize(
    ("column", "sentence"),
    [("fake_width", "real and fake have the same width"), ("fake_height", "real and fake have the same height")],
)
def test_sizes_that_differ_fail_by_name(copied_line, column, sentence):
    edit_pairs(copied_line, lambda table: table.__setitem__(column, table[column] - 1))
    assert failed(copied_line) == [sentence]


def test_a_group_in_two_splits_fails_by_name(copied_line):
    def leak(table):
        table.loc[table.index[table["group"] == "motorcycle"][0], "split"] = "test"

    edit_pairs(copied_line, leak)
    assert failed(copied_line) == ["no group lies in two splits"]


def test_a_pair_twice_fails_by_name(copied_line):
    import pandas as pd

    edit_pairs(copied_line, lambda table: pd.concat([table, table.head(1)]))
    assert failed(copied_line) == ["every pair is there once"]


def test_a_lost_pair_fails_by_name(copied_line):
    edit_pairs(copied_line, lambda table: table.iloc[1:])
    assert failed(copied_line) == ["every reconstruction is in the pairs"]


def test_a_fake_that_is_its_real_fails_by_name(copied_line):
    edit_pairs(copied_line, lambda table: table.__setitem__("fake_sha256", table["real_sha256"]))
    assert failed(copied_line) == ["no fake is its real, byte for byte"]


def test_a_split_with_too_few_pairs_fails_by_name(line, tmp_path):
    strict = line.audit.model_copy(update={"min_pairs_per_split": 6})
    places = {name: tmp_path / name for name in ("audits", "documents", "reports")}
    elsewhere = line.paths.model_copy(update=places)
    assert failed(line.model_copy(update={"audit": strict, "paths": elsewhere})) == ["every split has enough pairs"]


def test_reals_without_compression_need_no_match(copied_line):
    def lossless(table):
        for side in ("real", "fake"):
            table[f"{side}_format"], table[f"{side}_jpeg_tables"], table[f"{side}_subsampling"] = "PNG", None, None
        table["jpeg_matched"] = None

    edit_pairs(copied_line, lossless)
    audit.run(copied_line, "tiny")
    assert stamp(copied_line)["passed"]
