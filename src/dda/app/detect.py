"""A detector's verdicts on images.    dda detect PATH..."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

from dda.app import detect_extras
from dda.core import verdicts
from dda.core.errors import SetupError
from dda.core.verdicts import Prediction
from dda.io import gathering, progress, sources, verdict_files, verdict_tables
from dda.io.detecting import Detector, Views

JUDGED, UNREADABLE, FOUND, INTERRUPTED = 0, 1, 3, 130
"""Exit statuses; 2 is a wrong setup, as everywhere."""
FOUND_BY = {"generated": {"generated"}, "uncertain": {"uncertain", "generated"}}


@dataclass(frozen=True)
class Question:
    """What is asked of which detector."""

    model: str
    views: Views = "centre"
    max_fpr: float | None = None
    device: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Where answers go besides the lines that people read; `-` as `csv` is standard output."""

    json: bool = False
    csv: str | None = None
    parquet: Path | None = None
    heatmap: Path | None = None
    explain: bool = False
    quiet: bool = False
    fail_on: str | None = None

    @property
    def only_data(self) -> bool:
        """Whether standard output is for a program."""
        return self.json or self.csv == verdict_files.STDOUT

    @property
    def more(self) -> list[str]:
        """Columns that files have besides those of every row."""
        return [name for name, asked in (("facts", self.explain), ("heatmap", self.heatmap)) if asked]


@dataclass
class Answers:
    """What was found so far; rows are kept only where a file of them is wanted."""

    model: dict[str, Any]
    below: verdict_tables.Below = field(default_factory=verdict_tables.Below.empty)
    rows: list[dict[str, Any]] = field(default_factory=list)
    threshold: float | None = None
    interrupted: bool = False
    began_s: float = field(default_factory=time.monotonic)


def run(words: list[str], question: Question, wanted: Wanted, null: bool = False) -> int:
    """Judge all images that the words mean, and print or write the answers; the exit status.

    After Ctrl-C what was found so far is printed and written all the same. Raises SetupError where there is nothing to
    judge, no such detector, or no room for what is wanted.
    """
    check(wanted, question)
    # threads of the model that wait for one another actively would keep cores from those that decode
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    gathered = gathering.gather(words, null)
    for word in gathered.empty:
        say(f"no image in {verdict_tables.printable(word)}")
    if not gathered.paths:
        raise SetupError("there is nothing to judge: name image files, folders or patterns, or - for a list")
    check_device(question.device)
    source = sources.find(question.model)
    detector = Detector.load(source.folder, question.device)
    verdicts.limits(detector.description["calibration"], question.max_fpr)  # a wrong rate is told before any line
    answers = Answers(described(detector, source.name))
    try:
        ask(detector, list(gathered.paths), question, wanted, answers)
    except KeyboardInterrupt:
        answers.interrupted = True
        say(f"interrupted after {sum(answers.below.counts.values())} of {len(gathered.paths)} images")
    conclude(answers, question, wanted)
    return status(answers, wanted.fail_on)


def views_of(word: str) -> Views:
    """A way to look at an image by its word, which the command line has checked."""
    return next(views for views in get_args(Views) if views == word)


def check(wanted: Wanted, question: Question) -> None:
    """Raise SetupError for wishes that contradict each other, and for places that cannot be written."""
    if wanted.json and wanted.csv == verdict_files.STDOUT:
        raise SetupError("--json and --csv - both want standard output: give --csv a file")
    if wanted.heatmap and question.views != "tiles":
        raise SetupError(f"a heatmap shows all of an image, and --views {question.views} not: leave that out")
    files = [Path(path) for path in (wanted.csv, wanted.parquet) if path and path != verdict_files.STDOUT]
    for path in files + ([wanted.heatmap / "any.png"] if wanted.heatmap else []):
        verdict_files.check_writable(path)


def check_device(name: str | None) -> None:
    """Raise SetupError for a device that torch cannot work on; to name none, or cpu, does not import torch."""
    if name in (None, "cpu"):
        return
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise SetupError(f"no device {name!r} on this machine ({reason}): leave --device out, or name cpu") from error


def described(detector: Detector, source: str) -> dict[str, Any]:
    """The detector as the document names it."""
    description = detector.description
    names = ("name", "weights_sha256", "licence")
    told = {name: description.get(name) for name in names}
    return {**told, "source": source, "calibrated": description["calibration"]["temperature"] is not None}


def ask(detector: Detector, paths: list[str], question: Question, wanted: Wanted, answers: Answers) -> None:
    """Every answer goes where it is wanted, as it comes."""
    with ExitStack() as shown:
        line = printer(wanted, paths)
        stdout = verdict_files.Csv(sys.stdout, wanted.more) if wanted.csv == verdict_files.STDOUT else None
        bar = sys.stderr.isatty() and not wanted.quiet and len(paths) > 1
        advance = shown.enter_context(progress.shown("detect", len(paths), "images")) if bar else None
        found = detector.stream(paths, question.views, question.max_fpr)
        for prediction, extra in detect_extras.added(found, wanted.explain, wanted.heatmap):
            row = prediction.as_row() | extra
            # first what is counted, then what is printed: Ctrl-C comes nearly always while something is
            if wanted.json or wanted.parquet or (wanted.csv and not stdout):
                answers.rows.append(row)
            answers.below.add(prediction)
            answers.threshold = prediction.threshold
            line(prediction, extra)
            if stdout:
                stdout.add(row)
            if advance:
                advance(1)


def printer(wanted: Wanted, paths: list[str]) -> Callable[[Prediction, dict[str, Any]], None]:
    """Prints an image's line, for a terminal or a pipe; those of unreadable images stand at the end."""
    if wanted.only_data or wanted.quiet:
        return lambda *_: None
    line: Callable[[Prediction], str] = verdict_tables.plain_line
    if sys.stdout.isatty():
        layout = verdict_tables.Layout.fitting(verdict_tables.terminal_width(), paths)
        line = partial(verdict_tables.terminal_line, layout=layout)
        print(verdict_tables.header(layout))

    def show(prediction: Prediction, extra: dict[str, Any]) -> None:
        if prediction.error is not None:
            return
        print(line(prediction), flush=True)  # a reader of a pipe sees it now
        for sentence in extra.get("facts", {}).get("sentences", []):
            print(f"    {verdict_tables.printable(sentence)}")

    return show


def conclude(answers: Answers, question: Question, wanted: Wanted) -> None:
    """Write the files, and say what stands below all lines; where the output is data, on standard error."""
    if wanted.csv and wanted.csv != verdict_files.STDOUT:
        verdict_files.write_csv(Path(wanted.csv), answers.rows, wanted.more)
    if wanted.parquet:
        verdict_files.write_parquet(wanted.parquet, answers.rows, wanted.more)
    if wanted.json:
        print(json.dumps(document(answers, question), indent=2, ensure_ascii=False))
    for line in closing(answers, question, wanted):
        print(line, file=sys.stderr if wanted.only_data else sys.stdout)


def closing(answers: Answers, question: Question, wanted: Wanted) -> Iterator[str]:
    """The last lines; of data that say it themselves, only the warnings."""
    if wanted.only_data:
        yield from answers.below.warnings(question.views)
    elif wanted.quiet:
        yield verdict_tables.counted(answers.below.counts)
    else:
        yield from answers.below.lines(question.views)


def document(answers: Answers, question: Question) -> dict[str, Any]:
    """The one document of --json."""
    counts = {verdict: answers.below.counts[verdict] for verdict in verdict_tables.VERDICTS}
    return {
        "model": answers.model,
        "threshold": answers.threshold,
        "views": question.views,
        "images": answers.rows,
        "counts": {"images": sum(counts.values()), **counts},
        "interrupted": answers.interrupted,
        "seconds": round(time.monotonic() - answers.began_s, 3),
    }


def status(answers: Answers, fail_on: str | None) -> int:
    """The exit status that scripts read."""
    counts = answers.below.counts
    if answers.interrupted:
        return INTERRUPTED
    if any(counts[verdict] for verdict in FOUND_BY.get(fail_on or "", ())):
        return FOUND
    return UNREADABLE if answers.below.unreadable else JUDGED


def say(sentence: str) -> None:
    """A message to people, which is no part of the output."""
    print(f"dda: {sentence}", file=sys.stderr)
