"""Which images a detector is most wrong about."""

from typing import Any

from dda.core.labels import FAKE, REAL

FALSE_POSITIVE, FALSE_NEGATIVE = "false positive", "false negative"


def worst(table: Any, n_each: int) -> dict[str, Any]:
    """Of a table of predictions in one protocol, the rows that lie furthest on the wrong side of logit 0.

    Reals called fake, the highest logit first, and fakes called real, the lowest first; at most `n_each`, ties by
    image_id.
    """
    logits, labels = table["logit"].to_numpy(float, na_value=float("nan")), table["label"].to_numpy(int)
    found = {}
    for name, label, wrong, rising in (
        (FALSE_POSITIVE, REAL, logits > 0, False),
        (FALSE_NEGATIVE, FAKE, logits <= 0, True),
    ):
        rows = table[(labels == label) & wrong]
        found[name] = rows.sort_values(["logit", "image_id"], ascending=[rising, True]).head(n_each)
    return found
