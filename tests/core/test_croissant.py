"""Croissant metadata name every file and every column; nothing in them depends on when or where."""

import json

import pytest

from dda.core import croissant

WORDS = {"name": "aligned-tiny", "description": "pairs", "license": ["one", "other"]}
FILES = [("train-00000.tar", 10240, "1" * 64), ("pairs.parquet", 5, "0" * 64)]
COLUMNS = {"image_id": "text", "real_width": "integer", "real_weight": "number", "jpeg_matched": "truth"}


@pytest.fixture
def told():
    return croissant.metadata(WORDS, FILES, "pairs.parquet", COLUMNS)


def test_what_the_specification_demands_is_there(told):
    assert told["@type"] == "sc:Dataset"
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert {"@context", "name", "description", "license", "distribution", "recordSet"} <= set(told)
    assert json.loads(json.dumps(told)) == told


def test_files_have_name_size_kind_and_digest(told):
    keys = ("contentUrl", "contentSize", "encodingFormat", "sha256")
    facts = [tuple(one[key] for key in keys) for one in told["distribution"]]
    assert facts == [
        ("pairs.parquet", "5 B", "application/x-parquet", "0" * 64),
        ("train-00000.tar", "10240 B", "application/x-tar", "1" * 64),
    ]


def test_columns_have_types_and_come_out_of_the_table(told):
    (pairs,) = told["recordSet"]
    assert [one["dataType"] for one in pairs["field"]] == ["sc:Text", "sc:Integer", "sc:Float", "sc:Boolean"]
    assert all(one["source"]["fileObject"] == {"@id": "pairs.parquet"} for one in pairs["field"])


def test_ids_are_unique(told):
    everything = [*told["distribution"], *told["recordSet"], *(f for one in told["recordSet"] for f in one["field"])]
    ids = [one["@id"] for one in everything]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("real_width", "real image: width in pixels"),
        ("real_weight", "share of the real's pixels that was mixed into the fake"),
        ("fake_new_fact", "fake image: new fact"),
        ("some_thing", "some thing"),
    ],
)
def test_columns_are_described_as_far_as_they_are_known(column, said):
    assert croissant.described(column) == said
