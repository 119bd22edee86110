from dda.core import cases
from dda.core.cases import Case

SUMMARY = {"n_real": 3, "auroc": {"value": 0.9, "low": 0.8, "high": None}, "eer": None, "generators": {"a": {}}}


def test_protocols_stand_as_they_are_wanted_and_native_before_all():
    found = ["jpeg-50", "turned", "native", "all-q96"]
    assert cases.ordered(found, ["all-q96", "jpeg-50", "native"]) == ["native", "all-q96", "jpeg-50", "turned"]


def test_a_number_beside_the_papers_is_under_its_protocol_where_we_have_it():
    assert cases.compared_with_paper("fakes-q96", ["native", "fakes-q96"]) == "fakes-q96"
    assert cases.compared_with_paper("fakes-q96", ["all-q96", "native"]) == "native"
    assert cases.compared_with_paper("presentation-attack", ["native", "fakes-q96"]) == "native"
    assert cases.compared_with_paper("native", ["jpeg-50"]) is None


def test_metrics_are_named_by_benchmark_protocol_and_number():
    summaries = {Case("a", "genimage", "native"): SUMMARY, Case("b", "genimage", "native"): SUMMARY}
    names = ("n_real", "auroc", "auroc_low")
    assert dict(cases.flat(summaries, "a")) == dict(
        zip([f"genimage/native/{name}" for name in names], (3, 0.9, 0.8), strict=True)
    )
    assert cases.nested(summaries)["b"]["genimage"]["native"] is SUMMARY


def test_a_case_reads_as_what_was_judged():
    assert str(Case("embedded", "genimage", "native")) == "embedded on genimage"
    assert str(Case("embedded", "genimage", "all-q96")) == "embedded on genimage, all-q96"
