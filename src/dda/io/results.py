"""The results table: one row per detector and benchmark, as their images are, each number with its interval."""

from collections.abc import Sequence

from dda.core.findings import Findings
from dda.io import page


def rows(found: Sequence[Findings]) -> list[dict[str, str]]:
    """The rows as text, by the heads of their columns."""
    return [
        {
            "judged": one.name,
            "balanced accuracy": page.shown(one.summary["balanced_accuracy"]),
            "AUROC": page.shown(one.summary["auroc"]),
            "accuracy on real": page.shown(one.summary["accuracy_real"]),
            "accuracy on fake": page.shown(one.summary["accuracy_fake"]),
            "real images": str(one.summary["n_real"]),
            "fake images": str(one.summary["n_fake"]),
            "unreadable": str(one.summary["failed"]),
        }
        for one in found
    ]


def markdown(found: Sequence[Findings]) -> str:
    """The table as Markdown."""
    shown = rows(found)
    header = list(shown[0])
    lines = [header, ["---"] * len(header), *(list(row.values()) for row in shown)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
