"""Verdicts for people: a line for each image on a terminal or in a pipe, and what is said below them."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dda.core.verdicts import Prediction, Verdict

COLOURS = {"real": "green", "uncertain": "yellow", "generated": "red", "unreadable": "magenta"}
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
BAR_CELLS = 10
NUMBERS_CELLS = 2 + 10 + 2 + 5 + 2 + 7  # verdict, probability and logit, each after two spaces
LEAST_PATH_CELLS = 16
FEW = 0.25
"""Of how much of an image less is worth a sentence."""


@dataclass(frozen=True)
class Layout:
    """How wide a terminal's columns are; `bar_cells` is 0 where there is no room for a bar. What it can draw."""

    path_cells: int
    bar_cells: int
    full: str = "━"
    empty: str = "─"
    cut: str = "…"

    @classmethod
    def fitting(cls, width: int, paths: Sequence[str]) -> "Layout":
        """The layout of a terminal so many cells wide: a path has the room it needs, or what there is."""
        left = width - NUMBERS_CELLS - 1
        longest = max((cell_len(printable(path)) for path in paths), default=0)
        bar = BAR_CELLS if left - BAR_CELLS - 1 >= LEAST_PATH_CELLS else 0
        signs = ("━", "─", "…") if "utf" in (sys.stdout.encoding or "").lower() else ("#", "-", "~")
        return cls(max(5, min(longest, left - (bar + 1 if bar else 0))), bar, *signs)

    @property
    def chance_cells(self) -> int:
        """The probability's column: a number, and the bar."""
        return 5 + (self.bar_cells + 1 if self.bar_cells else 0)


def header(layout: Layout) -> str:
    """What stands above the columns."""
    name = "image".ljust(layout.path_cells)
    chance = ("probability" if layout.bar_cells else "prob.").ljust(layout.chance_cells)
    return coloured(Text(f"{name}  {'verdict':<10}  {chance}  {'logit':>7}", "bold"))


def terminal_line(found: Prediction, layout: Layout) -> str:
    """An image's line: its path from the right, the verdict in words and colour, the probability, the logit."""
    path = shortened(printable(found.name or ""), layout.path_cells, layout.cut)
    line = Text(path + " " * (layout.path_cells - cell_len(path)))
    line.append(f"  {found.verdict:<10}", COLOURS[found.verdict])
    line.append(f"  {found.probability:.3f}")
    if layout.bar_cells:
        line.append(" ").append_text(bar(found, layout))
    return coloured(line.append(f"  {found.logit:>+7.2f}"))


def bar(found: Prediction, layout: Layout) -> Text:
    """The probability as a bar."""
    n_full = round((found.probability or 0.0) * layout.bar_cells)
    full = Text(layout.full * n_full, COLOURS[found.verdict])
    return full.append(layout.empty * (layout.bar_cells - n_full), "dim")


def plain_line(found: Prediction) -> str:
    """An image's line in a pipe: the path last, whole, so that nothing is lost."""
    kind = "calibrated probability" if found.calibrated else "probability"
    number = f"{kind} {found.probability:.3f}  logit {found.logit:+.2f}"
    return f"{found.verdict:<10}  {number}  {printable(found.name or '')}"


def counted(counts: Counter[str]) -> str:
    """`12 images = 7 real + 2 uncertain + 3 generated + 0 unreadable`."""
    n_images = sum(counts.values())
    parts = " + ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    return f"{n_images} {'image' if n_images == 1 else 'images'} = {parts}"


@dataclass
class Below:
    """Gathers what is said below the lines of all images."""

    counts: Counter[str]
    notes: Counter[str]
    unreadable: list[tuple[str, str]]
    calibrated: bool = True
    hardly_seen: int = 0

    @classmethod
    def empty(cls) -> "Below":
        """Nothing was said yet."""
        return cls(Counter(), Counter(), [])

    def add(self, found: Prediction) -> None:
        """Take an image into account."""
        self.counts[found.verdict] += 1
        self.notes.update(found.notes)
        self.calibrated = found.calibrated
        if found.error is not None:
            self.unreadable.append((found.name or "", found.error))
        elif (found.seen or 1.0) < FEW:
            self.hardly_seen += 1

    @property
    def judged(self) -> int:
        """How many images have a logit."""
        return sum(self.counts.values()) - len(self.unreadable)

    def lines(self, views: str) -> Iterator[str]:
        """The unreadable ones with their reasons, then what was done to images, then counts that add up."""
        if self.unreadable:
            yield "could not be read:"
            yield from (f"  {printable(path)}: {reason}" for path, reason in self.unreadable)
        yield from (f"{_images(count)}: {note}" for note, count in self.notes.most_common())
        yield counted(self.counts)
        yield from self.warnings(views)

    def warnings(self, views: str) -> Iterator[str]:
        """Sentences that whoever reads a score should know."""
        if self.judged and not self.calibrated:
            yield "the detector was never calibrated: its probabilities only order images, and are no rates of anything"
        if self.hardly_seen * 2 > self.judged:
            told = f"of {_images(self.hardly_seen)} less than a quarter was looked at"
            yield f"{told}: --views tiles looks at all of it" if views != "tiles" else told


def _images(count: int) -> str:
    return f"{count} {'image' if count == 1 else 'images'}"


def printable(text: str) -> str:
    """Text in which whatever could steer a terminal, or is not UTF-8, is written as an escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def shortened(path: str, n_cells: int, cut: str) -> str:
    """A path that fits, without its beginning where it is too long; `cut` stands for that."""
    if cell_len(path) <= n_cells:
        return path
    while cell_len(path) > n_cells - 1:
        path = path[1:]
    return cut + path


def coloured(text: Text) -> str:
    """A line for the terminal; without colours where NO_COLOR asks for that."""
    console = Console(force_terminal=True, width=10_000, legacy_windows=False)
    with console.capture() as said:
        console.print(text, end="", soft_wrap=True, highlight=False)
    return said.get()


def terminal_width() -> int:
    """Cells of standard output's terminal."""
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80
