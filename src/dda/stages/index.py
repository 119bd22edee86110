"""photos -> index: a row per file found, used or rejected with its reason.    dda index"""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.core.labels import SPLITS
from dda.core.splits import split_of
from dda.io import photos, tables
from dda.io.progress import tracked
from dda.params import Params
from dda.params.sections import Index

COLUMNS = {
    "image_id": "str",
    "group": "str",
    "path": "str",
    "sha256": "str",
    "bytes": "Int64",
    "width": "Int64",
    "height": "Int64",
    "format": "str",
    "channels": "Int64",
    "converted": "str",
    "jpeg_quality": "Int64",
    "jpeg_tables": "str",
    "subsampling": "str",
    "split": "str",
    "error": "str",
}


def run(params: Params) -> None:
    """Index every file below the photo folder, and every file that could not even be taken over."""
    folder = params.paths.photos
    if not folder.is_dir():
        raise SetupError(
            f"no photo folder at {folder}: run `dda get embedded`, or `dda get FOLDER` with your own photos"
        )
    found = list(photos.find(folder))
    rows = [index_file(path, folder, params.index) for path in tracked(found, "index")]
    rows += [_row(line["path"], error=line["error"]) for line in rejected_before(params.paths.rejected)]
    check(rows, folder, params.index)
    tables.write(params.paths.index, rows, COLUMNS)
    print(summary(rows))


def index_file(path: Path, folder: Path, settings: Index) -> dict[str, Any]:
    """The row of one file; a file that cannot be used has a row with the reason and no split."""
    name = str(path.relative_to(folder))
    try:
        photos.check_name(name)
        content = photos.read_bytes(path)
        photo = photos.decode(content, settings.max_pixels, settings.min_side_px)
    except photos.PhotoRejected as rejection:
        return _row(name, error=str(rejection))
    group = group_of(path.stem, image_id_of(name), settings.group_pattern)
    height, width = photo.pixels.shape[:2]
    facts: dict[str, Any] = {
        "width": width,
        "height": height,
        "format": photo.format,
        "converted": photo.converted,
    }
    facts |= {
        "channels": 1 if photo.pixels.ndim == 2 else 3,
        "sha256": photos.sha256(content),
        "bytes": len(content),
    }
    if photo.jpeg:
        facts |= {
            "jpeg_quality": photo.jpeg.quality,
            "jpeg_tables": photo.jpeg.tables_digest,
        }
        facts |= {"subsampling": photo.jpeg.subsampling}
    return _row(
        name,
        group=group,
        split=split_of(group, settings.seed, settings.fractions.model_dump()),
        **facts,
    )


def _row(name: str, **facts: Any) -> dict[str, Any]:
    printable = name.encode("utf-8", "backslashreplace").decode()
    return {"image_id": image_id_of(name), "path": printable, **facts}


def image_id_of(name: str) -> str:
    """A unique id from a relative path: its last part in plain letters without a dot, and a digest of the whole path.

    Equal names in two folders stay two photos, and one photo's id does not depend on which others there are.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", Path(name).stem).strip("-")[:60]
    return f"{plain}-{digest}" if plain else digest


def group_of(stem: str, image_id: str, pattern: re.Pattern[str]) -> str:
    """What photos of one scene share: the pattern's bracket where the whole name matches, else the image id."""
    match = pattern.fullmatch(stem)
    return (match.group(1) if match else None) or image_id


def rejected_before(path: Path) -> list[dict[str, str]]:
    """Files that `dda get` found and could not take over, as it wrote them down."""
    lines: list[dict[str, str]] = json.loads(path.read_text("utf-8"))["rejected"] if path.is_file() else []
    return lines


def check(rows: list[dict[str, Any]], folder: Path, settings: Index) -> None:
    """Raise SetupError where the rows are no set to work with: none, too many failed, ids or splits that do not do."""
    if not rows:
        raise SetupError(f"the photo folder {folder} is empty: run `dda get FOLDER` with a folder that holds photos")
    twice = [image_id for image_id, n in Counter(row["image_id"] for row in rows).items() if n > 1]
    if twice:
        raise SetupError(f"two files have the id {twice[0]}: rename one of them")
    used = [row for row in rows if row.get("error") is None]
    failed = len(rows) - len(used)
    if not used or failed > settings.max_failed * len(rows):
        raise SetupError(
            f"{failed} of {len(rows)} files cannot be used; index.max_failed is {settings.max_failed}. Reasons:\n"
            f"{reasons(rows)}"
        )
    shares = settings.fractions.model_dump()
    empty = [split for split in SPLITS if shares[split] and all(row["split"] != split for row in used)]
    if empty:
        groups = len({row["group"] for row in used})
        raise SetupError(
            f"too small to split: {len(used)} photos of {groups} groups leave none for {', '.join(empty)}. "
            "Add photos, or change index.fractions or index.seed in params.yaml"
        )


def reasons(rows: list[dict[str, Any]]) -> str:
    """Reasons of rejection, the most frequent first, a line each with an example."""
    rejected = [row for row in rows if row.get("error")]
    counted = Counter(row["error"] for row in rejected)
    example = {row["error"]: row["path"] for row in rejected}
    return "\n".join(f"  {n} x {reason}, such as {example[reason]}" for reason, n in counted.most_common(20))


def summary(rows: list[dict[str, Any]]) -> str:
    """One line for a log, and the reasons below it where files were rejected."""
    used = [row for row in rows if row.get("error") is None]
    splits = Counter(row["split"] for row in used)
    parts = ", ".join(f"{split} {splits[split]}" for split in SPLITS)
    line = f"{len(rows)} files found = {len(used)} used ({parts}) + {len(rows) - len(used)} rejected"
    return "\n".join([line, reasons(rows)]).rstrip()
