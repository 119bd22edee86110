import json

import pytest

from dda.core.errors import AuditError
from dda.io import atomic, tables
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
    named = [one["name"] for one in stamp(params)["expectations"] if not one["success"]]
    assert all(name in str(caught.value) for name in named)
    assert not stamp(params)["passed"]
    return named


def test_an_aligned_set_passes_and_the_stamp_holds_no_time(line):
    written = (line.paths.audits / "tiny.json").read_text()
    assert stamp(line)["passed"]
    assert stamp(line)["pairs"] == 20
    assert "202" not in written
    assert (line.paths.documents / "audit/tiny/index.html").is_file()


def test_a_set_whose_fakes_were_left_unaligned_fails_by_name(copied_line):
    unaligned = {"jpeg_probability": 0.0, "mix_probability": 0.0}
    parts = {part: getattr(copied_line.align, part).model_copy(update=unaligned) for part in ("train", "held_out")}
    params = copied_line.model_copy(update={"align": copied_line.align.model_copy(update=parts)})
    align.run(params, "tiny")
    assert failed(params) == ["fakes have the compression of their reals"]


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
    assert failed(copied_line) == ["every id is unique", "every reconstruction is in the pairs"]


def test_a_lost_pair_fails_by_name(copied_line):
    edit_pairs(copied_line, lambda table: table.iloc[1:])
    assert failed(copied_line) == ["every reconstruction is in the pairs"]


def test_a_fake_that_is_its_real_fails_by_name(copied_line):
    edit_pairs(copied_line, lambda table: table.__setitem__("fake_sha256", table["real_sha256"]))
    assert failed(copied_line) == ["no fake is its real, byte for byte"]


def test_a_split_with_too_few_pairs_fails_by_name(line, tmp_path):
    strict = line.audit.model_copy(update={"min_pairs_per_split": 6})
    elsewhere = line.paths.model_copy(update={"audits": tmp_path / "audit", "documents": tmp_path / "documents"})
    assert failed(line.model_copy(update={"audit": strict, "paths": elsewhere})) == ["every split has enough pairs"]


def test_reals_without_compression_need_no_match(copied_line):
    def lossless(table):
        for side in ("real", "fake"):
            table[f"{side}_format"], table[f"{side}_jpeg_tables"], table[f"{side}_subsampling"] = "PNG", None, None
        table["jpeg_matched"] = False

    edit_pairs(copied_line, lossless)
    audit.run(copied_line, "tiny")
    assert stamp(copied_line)["passed"]
