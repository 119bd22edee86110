from dda.core import mistakes
from tests import judged


def test_the_worst_lie_furthest_on_the_wrong_side_and_nobody_else():
    table = judged.table(n_pairs=40)
    table.loc[0, "logit"], table.loc[1, "logit"], table.loc[3, "logit"] = 9.0, -9.0, None
    found = mistakes.worst(table, 3)
    positives, negatives = (found[name] for name in (mistakes.FALSE_POSITIVE, mistakes.FALSE_NEGATIVE))
    assert positives["image_id"].iloc[0] == "0/real.png"
    assert negatives["image_id"].iloc[0] == "0/fake.png"
    assert positives["logit"].is_monotonic_decreasing
    assert negatives["logit"].is_monotonic_increasing
    assert (positives["label"] == 0).all()
    assert (positives["logit"] > 0).all()
    assert (negatives["logit"] <= 0).all()
    assert len(positives) == len(negatives) == 3


def test_who_makes_no_mistake_has_none():
    table = judged.table(n_pairs=4)
    table["logit"] = table["label"] * 2.0 - 1.0
    assert [len(rows) for rows in mistakes.worst(table, 3).values()] == [0, 0]
