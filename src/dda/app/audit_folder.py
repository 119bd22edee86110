"""The audit for anybody's images: two folders, a verdict for each probe.    dda audit-folder REAL_DIR FAKE_DIR"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dda.core import audits
from dda.core.audits import Evidence, Side
from dda.core.errors import AuditError, SetupError
from dda.core.metrics import Estimate
from dda.io import atomic, audit_page, evidence, photos

MIN_IMAGES = 5
CLASSES = ("real", "fake")
Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How the folders are audited: largest AUROC allowed, images of each class at most, draws of the interval, seed."""

    limit: float = 0.6
    max_images: int = 2000
    samples: int = 200
    seed: int = 0


def run(real: Path, fake: Path, output: Path, settings: Settings) -> None:
    """Audit two folders of images, and write `audit.json` and `audit.html`.

    A file of one folder and a file of the other that have the same path, but for the ending, are a pair: they stay
    together when probes are fitted and judged. Raises SetupError where a folder lacks images, AuditError where a probe
    is above the limit.
    """
    files = {name: files_of(folder) for name, folder in zip(CLASSES, (real, fake), strict=True)}
    taken = {name: audits.evenly(found, settings.max_images) for name, found in files.items()}
    sides, unreadable = looked_at({"real": real, "fake": fake}, taken)
    for name, folder in (("real", real), ("fake", fake)):
        if len(sides[name].evidence) < MIN_IMAGES:
            told = f"{len(sides[name].evidence)} images that can be read in {folder}"
            raise SetupError(f"{told}: name a folder with at least {MIN_IMAGES}")
    stamp = {"name": f"{real} and {fake}", "passed": False, **summarised(files, sides), "unreadable": unreadable}
    stamp |= findings(sides, settings)
    broken = audits.sentences(stamp["probes"])
    stamp["passed"] = not broken
    atomic.write_json(output / "audit.json", stamp)
    audit_page.write(output / "audit.html", stamp, broken)
    show(stamp, output / "audit.html")
    if broken:
        raise AuditError(f"{len(broken)} of {len(stamp['probes'])} probes tell real from fake without any trace of it")


def files_of(folder: Path) -> list[Path]:
    """Every file below a folder. Raises SetupError where there is no such folder."""
    if not folder.is_dir():
        raise SetupError(f"no folder at {folder}: name a folder of real images and one of fake ones")
    return list(photos.find(folder))


def looked_at(folders: dict[str, Path], taken: dict[str, list[Path]]) -> tuple[dict[str, Side], list[Row]]:
    """The evidence of what can be read, by class, and a row with the reason for every other file."""
    sides, unreadable = {}, []
    for name, folder in folders.items():
        found = evidence.gathered({name: attempt}, taken[name], f"reading {name}")[name]
        good = [(path, one) for path, one in zip(taken[name], found, strict=True) if isinstance(one, Evidence)]
        groups = [str(path.relative_to(folder).with_suffix("")) for path, _ in good]
        sides[name] = Side([one for _, one in good], groups)
        wrong = [(path, one) for path, one in zip(taken[name], found, strict=True) if not isinstance(one, Evidence)]
        unreadable += [{"path": printable(path), "error": reason} for path, reason in wrong]
    return sides, unreadable


def attempt(path: Path) -> Evidence | str:
    """The evidence of a file, or why there is none."""
    try:
        return evidence.read(photos.read_bytes(path))
    except (photos.PhotoRejected, ValueError, OSError) as error:
        return str(error)


def printable(path: Path) -> str:
    """A path as text that any file can hold."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def summarised(files: dict[str, list[Path]], sides: dict[str, Side]) -> Row:
    """How many files there were, and how many were probed, in numbers and in a sentence."""
    counted = {f"{name}_files": len(files[name]) for name in CLASSES}
    counted |= {f"{name}_probed": len(sides[name].evidence) for name in CLASSES}
    pairs = len(set(sides["real"].groups) & set(sides["fake"].groups))
    told = [f"{counted[f'{name}_probed']} of {counted[f'{name}_files']} {name} files" for name in CLASSES]
    return {**counted, "pairs": pairs, "summary": f"Probed {' and '.join(told)}; {pairs} of them have the same name."}


def findings(sides: dict[str, Side], settings: Settings) -> Row:
    """What the probes find, the facts that differ, and the spectral gap."""
    real, fake = sides["real"], sides["fake"]
    probe = partial(audits.probe_all, samples=settings.samples, seed=settings.seed)
    return {
        "probes": audits.verdicts(probe(real, fake), dict.fromkeys(audits.PROBES, settings.limit)),
        "biases": audits.biases(real, fake, settings.samples, settings.seed),
        "spectra_db": audits.spectra(**sides),
        "spectral_gap_db": audits.gaps(real, fake=fake),
    }


def show(stamp: Row, page: Path) -> None:
    """Print verdicts, the facts that differ, and where the page is."""
    console = Console(width=None if Console().is_terminal else 120)
    console.print(stamp["summary"], highlight=False, markup=False)
    table = Table(
        "probe", "AUROC", "limit", "verdict", title="What tells real from fake; 0.5 is chance", title_justify="left"
    )
    for one in stamp["probes"]:
        verdict = "[green]passes[/]" if one["passed"] else "[red]fails[/]"
        number = str(Estimate(**one["auroc"])).replace("[", "\\[")
        table.add_row(one["probe"].replace("_", " "), number, f"{one['limit']:g}", verdict)
    console.print(table)
    for bias in stamp["biases"]:
        told = f"real {bias['real']}; fake {bias['fake']}"
        console.print(f"{bias['fact']} alone {bias['auroc']['value']:.3f}: {told}", highlight=False, markup=False)
    for row in stamp["unreadable"][:5]:
        console.print(f"not probed: {row['path']}: {row['error']}", highlight=False, markup=False)
    console.print(f"Page: {page}", highlight=False, markup=False, soft_wrap=True)
