"""Tables: rows in, Parquet on disk, plain rows out."""

import pytest

from dda.core.errors import SetupError
from dda.io import tables

COLUMNS = {"image_id": "str", "width": "Int64", "logit": "Float64", "matched": "boolean", "error": "str"}
ROWS = [
    {"image_id": "a", "width": 640, "logit": -1.5, "matched": True, "error": None},
    {"image_id": "写真-é", "width": None, "logit": None, "matched": None, "error": "damaged"},
    {"image_id": "c", "width": 2**40 + 1, "logit": float("inf"), "matched": False, "error": None},
]


def test_rows_come_back_as_they_were_written(tmp_path):
    tables.write(tmp_path / "a.parquet", ROWS, COLUMNS)
    assert tables.records(tables.read(tmp_path / "a.parquet")) == ROWS


def test_a_large_whole_number_beside_a_missing_one_is_kept(tmp_path):
    rows = [{"image_id": "a", "width": 2**53 + 1}, {"image_id": "b"}]
    written = tables.records(tables.write(tmp_path / "a.parquet", rows, COLUMNS))
    assert [row["width"] for row in written] == [2**53 + 1, None]


def test_the_table_given_back_is_the_one_on_disk(tmp_path):
    written = tables.write(tmp_path / "a.parquet", ROWS, COLUMNS)
    assert tables.records(written) == tables.records(tables.read(tmp_path / "a.parquet"))
    assert list(written.columns) == list(COLUMNS)


def test_records_hold_plain_python_values(tmp_path):
    tables.write(tmp_path / "a.parquet", ROWS, COLUMNS)
    first, second, _ = tables.records(tables.read(tmp_path / "a.parquet"))
    assert [type(value) for value in first.values()] == [str, int, float, bool, type(None)]
    assert [second[name] for name in ("width", "logit", "matched")] == [None, None, None]


def test_a_column_that_a_row_does_not_name_is_missing_there(tmp_path):
    tables.write(tmp_path / "a.parquet", [{"image_id": "a"}, ROWS[0]], COLUMNS)
    first, second = tables.records(tables.read(tmp_path / "a.parquet"))
    assert first == dict.fromkeys(COLUMNS) | {"image_id": "a"}
    assert second == ROWS[0]


def test_types_are_kept_where_every_value_is_missing(tmp_path):
    tables.write(tmp_path / "a.parquet", [{"image_id": "a"}], COLUMNS)
    kinds = tables.read(tmp_path / "a.parquet").dtypes.astype(str).to_dict()
    assert kinds == COLUMNS


def test_a_table_without_rows_keeps_its_columns_and_types(tmp_path):
    tables.write(tmp_path / "a.parquet", [], COLUMNS)
    frame = tables.read(tmp_path / "a.parquet")
    assert tables.records(frame) == []
    assert frame.dtypes.astype(str).to_dict() == COLUMNS


def test_a_column_that_the_table_does_not_know_is_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"rows for a\.parquet have unknown columns: colour, heigth"):
        tables.write(tmp_path / "a.parquet", [{"image_id": "a", "heigth": 1, "colour": "red"}], COLUMNS)
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("a.parquet", "b.parquet"):
        tables.write(tmp_path / name, ROWS, COLUMNS)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_table_that_is_not_there_names_the_next_step(tmp_path):
    with pytest.raises(SetupError, match=r"no table at .*index.parquet: run `dvc repro`"):
        tables.read(tmp_path / "index.parquet")
