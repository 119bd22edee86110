"""The card of a published set, as Markdown that Hugging Face reads too: counted facts, and nobody's opinion."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dda.core.labels import SPLITS

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
UNSTATED = (
    "Which photos these are, whose they are and under which terms was not stated when the set was published. "
    "Ask whoever published it before you use or share them."
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What a card tells: the set's name, its pairs, rows of the catalog for the VAE and the photos, the audit."""

    name: str
    pairs: Sequence[Row]
    vae: Row
    photos: tuple[str, Row] | None
    audit: Row

    @property
    def counts(self) -> Counter[str]:
        """Good pairs of each split."""
        return Counter(str(row["split"]) for row in self.pairs if row["error"] is None)

    @property
    def n_failed(self) -> int:
        """Pairs that could not be made."""
        return sum(row["error"] is not None for row in self.pairs)


def card(facts: Facts) -> str:
    """The whole card. It holds no time and no place, so that the same set has the same card."""
    parts = [front_matter(facts), summary(facts), *_sections(facts)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def description(facts: Facts) -> str:
    """What the set is, in a sentence."""
    n_pairs = facts.counts.total()
    return (
        f"{n_pairs} pairs of a real photo and its reconstruction by the VAE {facts.name}, aligned by Dual Data "
        "Alignment (arXiv:2505.14359)."
    )


def licences(facts: Facts) -> list[str]:
    """The terms that bind whoever uses the set, a line each."""
    photos = f"{facts.photos[0]}: {facts.photos[1]['licence']}" if facts.photos else "not stated"
    return [f"photos: {photos}", f"VAE {facts.name}: {facts.vae['licence']}"]


def front_matter(facts: Facts) -> str:
    """What Hugging Face reads: licence, size, and which shards are which split."""
    total = facts.counts.total()
    lines = [
        "---",
        f"pretty_name: {json.dumps(f'aligned pairs, {facts.name}')}",
        "license: other",
        "license_name: terms-of-the-photos-and-of-the-vae",
        "license_link: README.md",
        "task_categories: [image-classification]",
        f"size_categories: [{next((word for limit, word in SIZES if total < limit), 'n>10M')!r}]",
        "dataset_info:",
        "  features:",
        *(line for name, kind in columns(facts.pairs) for line in (f"  - name: {name}", f"    dtype: {kind}")),
        "configs:",
        "- config_name: default",
        "  data_files:",
    ]
    for split in _splits(facts):
        lines += [f"  - split: {split}", f'    path: "{split}-*.tar"']
    return "\n".join([*lines, "---"])


def columns(pairs: Iterable[Row]) -> list[tuple[str, str]]:
    """Columns that Hugging Face shall make of the shards, with their types.

    All of them are named: left to itself it takes those of the first pairs, and drops the PNGs of a set that begins
    with JPEGs without a word.
    """
    good = [row for row in pairs if row["error"] is None]
    images = {str(row[f"{side}_name"]).partition(".")[2] for row in good for side in ("real", "fake")}
    return [*((name, "image") for name in sorted(images, reverse=True)), ("__key__", "string"), ("__url__", "string")]


def summary(facts: Facts) -> str:
    """What the set is, and how many pairs it has."""
    rows = [f"| {split} | {facts.counts[split]} |" for split in _splits(facts)]
    table = "\n".join(["| split | pairs |", "| --- | --- |", *rows])
    n_photos = len({row["image_id"] for row in facts.pairs})
    total = (
        f"{n_photos} reconstructions, {len(facts.pairs)} pairs = {facts.counts.total()} good + {facts.n_failed} failed."
    )
    return f"# Aligned pairs: {facts.name}\n\n{description(facts)}\n\n{table}\n\n{total}"


def _splits(facts: Facts) -> list[str]:
    return [split for split in SPLITS if facts.counts[split]]


def _sections(facts: Facts) -> list[str]:
    told = {
        "Files": FILES,
        "The real images": _photos(facts.photos),
        "The VAE": _vae(facts.name, facts.vae),
        "How they were aligned": "\n".join(f"- {line}" for line in alignment(facts.pairs)),
        "Audit": _audit(facts.audit),
        "Licences and terms": "\n".join(f"- {line}" for line in licences(facts)) + f"\n\n{BOUND}",
    }
    return [f"## {title}\n\n{text}" for title, text in told.items()]


def alignment(pairs: Iterable[Row]) -> list[str]:
    """What the table of pairs tells of how they were made, a line each; columns that it has not are not spoken of."""
    good = [row for row in pairs if row["error"] is None]
    lines = []
    formats = Counter(str(row["real_format"]) for row in good if row.get("real_format"))
    if formats:
        lines.append("stored as " + ", ".join(f"{name} ({n} pairs)" for name, n in sorted(formats.items())))
    if good and "jpeg_matched" in good[0]:
        matched = sum(row["jpeg_matched"] == "tables" for row in good)
        lines.append(f"{matched} of {len(good)} fakes were given the JPEG tables and subsampling of their real")
    done = Counter((row["split"], _named(row["steps"])) for row in good if row.get("steps"))
    lines += [f"{split}, {n} pairs: {names or 'nothing was done'}" for (split, names), n in sorted(done.items())]
    weights = [row["real_weight"] for row in good if row.get("real_weight") is not None]
    if weights:
        mixed = [weight for weight in weights if weight > 0]
        share = f"; the real's share is {min(mixed):.3f} to {max(mixed):.3f}" if mixed else ""
        lines.append(f"{len(mixed)} of {len(weights)} fakes have pixels of their real mixed in{share}")
    return lines or ["the table of pairs tells nothing of it"]


def _named(steps: str) -> str:
    """The steps of a pair, as `pairs.parquet` has them, with what is the same for many pairs."""
    told = []
    for step in json.loads(steps):
        shown = [f"{key} {step[key]}" for key in ("bands", "cutoff", "by") if key in step]
        told.append(step["step"] + (f" ({', '.join(shown)})" if shown else ""))
    return ", then ".join(told)


def _photos(photos: tuple[str, Row] | None) -> str:
    if photos is None:
        return UNSTATED
    name, row = photos
    told = f"The photo set {name} ({row['photos']} photos, {row['address']}), or a part of it."
    terms = f"Terms: {row['licence']}."
    left_out = f" Not part of it: {row['left_out']}." if row.get("left_out") else ""
    return f"{told} {terms}{left_out}"


def _vae(name: str, row: Row) -> str:
    origin = row.get("source") or row.get("path") or f"embedded in dda as {row.get('embedded', name)}"
    pinned = f", revision {row['revision']}" if row.get("revision") else ""
    folder = f", folder {row['subfolder']}" if row.get("subfolder") else ""
    return (
        f"{row['class']} of diffusers, stride {row['stride']}, {row['latent_channels']} latent channels; "
        f"weights: {origin}{folder}{pinned}; licence: {row['licence']}."
    )


def _audit(stamp: Row) -> str:
    checked = list(stamp.get("expectations", []))
    broken = [one for one in checked if not one.get("success", True)]
    told = f"Passed, with {len(checked)} expectations on {stamp.get('pairs', 'all')} pairs (audit.json)."
    warned = "".join(f"\n- not critical, and not so: {one.get('name', 'unnamed')}" for one in broken)
    return told + ("\n" + warned if warned else "")


FILES = """\
- `train-*.tar`, `val-*.tar`, `test-*.tar`: WebDataset shards. A pair's key is its image id; it has three members:
  `real.jpg` or `real.png`, `fake.jpg` or `fake.png`, and `json`, which tells how the fake was aligned. Further fakes of
  the same photo, where there are any, are `fake1`, `fake2`, and so on; each is a pair with a row of its own.
- `pairs.parquet`: a row per pair: where both images lie, their sha256, and what is true of the stored files.
- `croissant.json`: MLCommons Croissant metadata. `audit.json`: the verdict of the audit.
- `manifest.json`: name, size and sha256 of every file; `dda verify` checks them, and every image."""
BOUND = "What is made from the set is bound by all of these. No licence is granted here that others would have to give."
