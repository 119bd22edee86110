"""Great Expectations: a passing and a failing case of every kind, and the documents for people."""

import pandas as pd
import pytest

from dda.io.expectations import Expectation, check

PAIRS = pd.DataFrame(
    {
        "image_id": ["a", "b", "c"],
        "twice": ["a", "a", "b"],
        "split": ["train", "val", "test"],
        "real_tables": ["x", None, "y"],
        "fake_tables": ["x", None, "y"],
        "half_tables": ["x", "z", None],
        "none": [None, None, None],
    }
).astype({"none": "str"})
NUMBERS = pd.DataFrame(
    {"real_width": [640, 480, 333], "fake_width": [640, 480, 333], "cut_width": [640, 480, 328]}, dtype="Int64"
).assign(real_weight=pd.array([0.0, 0.5, 1.0], "Float64"), gap=pd.array([0.0, 0.5, None], "Float64"))
TABLE = pd.concat([PAIRS, NUMBERS], axis=1)
UNIQUE = Expectation("ids are unique", "unique", ("image_id",))


@pytest.fixture
def verdict(tmp_path):
    """The success, the unexpected rows and all rows of one expectation on the table."""

    def of(kind, *columns, value=None):
        (one,) = check({"pairs": (TABLE, [Expectation("a sentence", kind, columns, value)])}, tmp_path)
        assert (one["table"], one["name"]) == ("pairs", "a sentence")
        return one["success"], one["unexpected"], one["elements"]

    return of


@pytest.mark.parametrize(
    ("kind", "columns", "value"),
    [
        ("equal", ("real_width", "fake_width"), None),
        ("different", ("real_tables", "image_id"), None),
        ("unique", ("image_id",), None),
        ("in_set", ("split",), ["train", "val", "test"]),
        ("at_most", ("real_weight",), 1),
        ("at_least", ("real_width",), 333),
    ],
)
def test_what_is_true_of_every_row_passes(verdict, kind, columns, value):
    assert verdict(kind, *columns, value=value) == (True, 0, 3)


@pytest.mark.parametrize(
    ("kind", "columns", "value", "unexpected"),
    [
        ("equal", ("real_width", "cut_width"), None, 1),
        ("equal", ("real_tables", "half_tables"), None, 2),
        ("different", ("image_id", "twice"), None, 1),
        ("unique", ("twice",), None, 2),
        ("in_set", ("split",), ["train", "test"], 1),
        ("at_most", ("real_weight",), 0.9, 1),
        ("at_least", ("real_width",), 480, 1),
    ],
)
def test_what_is_not_true_of_a_row_fails_with_the_number_of_rows(verdict, kind, columns, value, unexpected):
    assert verdict(kind, *columns, value=value) == (False, unexpected, 3)


def test_text_that_is_missing_on_both_sides_is_equal(verdict):
    assert verdict("equal", "real_tables", "fake_tables") == (True, 0, 3)
    assert verdict("equal", "none", "none") == (True, 0, 3)


def test_text_that_is_missing_on_both_sides_is_not_different(verdict):
    assert verdict("different", "real_tables", "fake_tables") == (False, 3, 3)


def test_missing_text_is_in_no_set(verdict):
    assert verdict("in_set", "real_tables", value=["x", "y"]) == (False, 1, 3)


@pytest.mark.parametrize(("kind", "value"), [("at_most", 1), ("at_least", 0)])
def test_a_missing_number_is_within_no_bound(verdict, kind, value):
    success, _, _ = verdict(kind, "gap", value=value)
    assert not success


@pytest.mark.parametrize("kind", ["unique", "at_most"])
def test_what_could_not_be_evaluated_counts_as_failed(verdict, kind):
    success, _, _ = verdict(kind, "no_such_column", value=1)
    assert not success


def test_verdicts_stand_in_the_order_of_tables_and_suites_with_their_severity(tmp_path):
    known = Expectation("splits are known", "in_set", ("split",), ["train"], severity="warning")
    share = Expectation("weights are shares", "at_most", ("real_weight",), 1)
    verdicts = check({"pairs": (TABLE, [known, UNIQUE]), "counts": (NUMBERS, [share])}, tmp_path)
    assert [(one["table"], one["name"], one["severity"], one["success"]) for one in verdicts] == [
        ("pairs", "splits are known", "warning", False),
        ("pairs", "ids are unique", "critical", True),
        ("counts", "weights are shares", "critical", True),
    ]


def test_the_same_sentence_may_be_said_of_two_tables(tmp_path):
    doubled = pd.concat([TABLE, TABLE], ignore_index=True)
    verdicts = check({"once": (TABLE, [UNIQUE]), "doubled": (doubled, [UNIQUE])}, tmp_path)
    assert [(one["success"], one["elements"]) for one in verdicts] == [(True, 3), (False, 6)]


def test_the_same_table_gives_the_same_verdicts(tmp_path):
    first, second = (check({"pairs": (TABLE, [UNIQUE])}, tmp_path / name) for name in ("a", "b"))
    assert first == second


def test_the_table_is_left_as_it_was(tmp_path):
    before = TABLE.copy()
    check({"pairs": (TABLE, [UNIQUE])}, tmp_path)
    pd.testing.assert_frame_equal(TABLE, before)


def test_documents_are_written_with_an_index_and_a_page_for_each_table(tmp_path):
    check({name: (TABLE, [UNIQUE]) for name in ("pairs", "counts")}, tmp_path / "documents")
    pages = {page.parents[2].name: page for page in (tmp_path / "documents" / "validations").rglob("*.html")}
    assert set(pages) == {"pairs", "counts"}
    assert "image_id" in pages["counts"].read_text("utf-8")
    assert (tmp_path / "documents" / "index.html").is_file()
