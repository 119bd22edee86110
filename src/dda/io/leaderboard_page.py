"""The leaderboard as a page and as Markdown, from one table (core.standings)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dda.core.standings import Origin
from dda.io import page
from dda.io.atomic import write_text

DASH = "\u2013"
SHOWN_DIGITS = 12
ENDS = ("average", "average_of_both_classes", "minimum")
FROM = {
    "detector": "detector",
    "benchmark": "benchmark",
    "protocol": "protocol",
    "seed": "seed",
    "samples": "draws",
    "images": "images",
    "unreadable": "unreadable",
    "data_digest": "data digest",
    "detector_digest": "detector digest",
}


def write(folder: Path, table: Mapping[str, Any], pages: Sequence[str]) -> None:
    """`leaderboard.html` and `leaderboard.md`; `pages` are the benchmarks that have a page of their own."""
    content = {"table": table, "pages": pages, "told": told, "anchor": anchor, "measure": measure, "heads": FROM}
    page.render("leaderboard.html", folder / "leaderboard.html", content)
    write_text(folder / "leaderboard.md", "\n".join(markdown(table)) + "\n")


def told(origin: Origin) -> str:
    """Where a number is from, in words."""
    return (
        f"{origin.detector} on {origin.benchmark}: {measure(origin)}, {origin.protocol}, seed {origin.seed}, "
        f"{origin.images:,} images, data {origin.data_digest[:SHOWN_DIGITS]}, "
        f"detector {origin.detector_digest[:SHOWN_DIGITS]}"
    )


def measure(origin: Origin) -> str:
    """What a number is the mean of, in words."""
    kinds = {"balanced_accuracy": "balanced accuracy", "accuracy_fake": "share of fakes found"}
    n_generators = origin.score["generators"]
    over = f"mean over {n_generators} generators" if n_generators > 1 else "one generator"
    return f"{kinds[origin.score['measure']]}, {over}"


def anchor(origin: Origin) -> str:
    """The id of a number's line in the table of origins."""
    return f"from-{origin.detector}-{origin.benchmark}"


def markdown(table: Mapping[str, Any]) -> Iterator[str]:
    """The lines of leaderboard.md."""
    columns = table["columns"]
    yield "# Leaderboard"
    yield ""
    yield "Percent. Mean over generators of the balanced accuracy at probability 0.5 (of the share of fakes found,"
    yield "where a set has no reals) ± standard deviation over generators (ddof 1), and in brackets the 95 % bootstrap"
    yield "interval of that mean. A dash: nobody has judged it."
    yield ""
    yield from _lines(
        [
            "detector",
            *(f"{one['title']}{_marks(one['notes'])}" for one in columns),
            *(end.replace("_", " ") for end in ENDS),
        ],
        [_row(row) for group in table["groups"] for row in group["rows"]],
    )
    yield ""
    protocols = ", ".join(f"{one['title']}: {one['protocol']}" for one in columns)
    yield f"Protocols of the paper: {protocols}."
    yield ""
    yield from (f"{number}. {_plain(text)}" for number, text in enumerate(table["footnotes"], 1))
    yield from ("", "## Where each number comes from", "")
    yield from _lines(list(FROM.values()), [[str(getattr(one, key)) for key in FROM] for one in table["origins"]])
    yield from ("", "## Averages", "")
    yield from (f"- {_plain(line)}" for line in table["warnings"])


def _lines(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    for line in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(map(_plain, line))} |"


def _row(row: Mapping[str, Any]) -> list[str]:
    ends = [DASH if row[end] is None else f"{row[end]:.1f}" for end in ENDS]
    if row["average"] is not None:
        ends[0] += f" ({row['n_benchmarks']} sets)"
    return [row["title"], *map(_cell, row["cells"]), *ends]


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return DASH
    spread = "" if cell["spread"] is None else f" ± {cell['spread']:.1f}"
    ends = "" if cell["low"] is None else f" [{cell['low']:.1f}, {cell['high']:.1f}]"
    return f"{cell['value']:.1f}{spread}{ends}{_marks(cell['notes'])}"


def _marks(notes: Sequence[int]) -> str:
    return f" <sup>{','.join(map(str, notes))}</sup>" if notes else ""


def _plain(text: str) -> str:
    """What a table of Markdown would take for a border, taken out."""
    return text.replace("|", "\\|").replace("\n", " ")
