"""Labelled images on disk, whatever the layout: each layout gives the same records, lazily and always in one order."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError, did_you_mean
from dda.core.labels import FAKE, REAL
from dda.io import entries, listings, pairs, parquets
from dda.io.images import GENERATED, SERVES_ALL, LabelledImage
from dda.io.listings import listed
from dda.io.parquets import parquet
from dda.io.trees import class_folders, fakes_only, paired, shared_reals
from dda.io.webdatasets import webdataset

__all__ = ["SHAPES", "LabelledImage", "aligned", "class_folders", "generated", "labelled", "own"]

Shape = Callable[[Path, Mapping[str, Any]], Iterator[LabelledImage]]
SHAPES: dict[str, Shape] = {
    shape.__name__: shape for shape in (class_folders, shared_reals, fakes_only, paired, listed, parquet, webdataset)
}
"""The seven shapes, by what a row of the catalog calls them."""
OWN_CLASSES = {"real": ["0_real", "real", "REAL", "nature"], "fake": ["1_fake", "fake", "FAKE", "ai"]}
OWN_TABLES = {".csv": (listings.images_of, "path"), ".parquet": (parquets.images_of, "image")}
MAX_SHOWN = 5


def labelled(row: Mapping[str, Any], folder: Path) -> Iterator[LabelledImage]:
    """The images of a benchmark, by its row of the catalog and the folder where it lies.

    Raises SetupError where the folder is not what the row says, holds no image, or holds one id twice.
    """
    if row["layout"] not in SHAPES:
        raise SetupError(f"no layout {row['layout']!r}. {did_you_mean(str(row['layout']), SHAPES)}")
    return _checked(SHAPES[row["layout"]](folder, row), folder, _looked_for(row))


def own(path: Path) -> Iterator[LabelledImage]:
    """The images of a user's own set: a folder with class folders, a CSV (path, label), or a Parquet (image, label).

    A table may also have the columns generator, source, cluster, and a CSV md5 or sha256; labels are real, fake, 0
    and 1. Raises SetupError, at once where there is no such set, else when the images are gone through.
    """
    if path.is_dir():
        return labelled({"layout": "class_folders", **OWN_CLASSES}, path)
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in OWN_TABLES:
        found = "no such file or folder" if not path.exists() else f"a file of kind {suffix!r}"
        raise SetupError(f"{path} is {found}; expected a folder with class folders, a .csv or a .parquet")
    images_of, column = OWN_TABLES[suffix]
    columns = {name: name for name in (column, "label", *entries.OPTIONAL)}
    row = {**entries.OWN, "columns": columns, "generator": path.stem}
    return _checked(images_of(path, path.parent, row), path.parent, f"lines in {path.name}")


def aligned(folder: Path, split: str) -> Iterator[LabelledImage]:
    """Both sides of every pair of one split; the generator is the VAE, whose name the folder bears.

    A real of which there are several fakes is there once.
    """
    pair_set = pairs.load(folder, split)
    for row in pair_set.rows:
        for side, label in pairs.SIDES.items():
            if label == REAL and row["variant"]:
                continue
            generator, source = (folder.name, GENERATED) if label == FAKE else (SERVES_ALL, "photos")
            place = (row[f"{side}_offset"], row[f"{side}_size"])
            path = folder / row["shard"]
            yield LabelledImage(row[f"{side}_name"], row["image_id"], generator, source, label, path, place)


def generated(folder: Path) -> Iterator[LabelledImage]:
    """What the stage generate made of a generator, whose name the folder bears; images of one prompt stay together."""
    if not folder.is_dir():
        raise SetupError(f"no images in {folder}: run `dvc repro generate`, which makes them")
    for path in sorted(folder.glob("*_*.jpg")):
        prompt, name = path.stem.partition("_")[0], f"{folder.name}/{path.name}"
        yield LabelledImage(name, f"prompt {prompt}", folder.name, GENERATED, FAKE, path)


def _checked(images: Iterator[LabelledImage], folder: Path, looked_for: str) -> Iterator[LabelledImage]:
    """The images, if there are any and every id is there once: scores are found again by it."""
    known: set[str] = set()
    for image in images:
        if image.image_id in known:
            raise SetupError(f"{image.image_id!a:.120} is twice in {folder}: remove one, scores are kept by this id")
        known.add(image.image_id)
        yield image
    if not known:
        raise SetupError(f"no image in {folder}: looked for {looked_for}, found {_found(folder)}")


def _looked_for(row: Mapping[str, Any]) -> str:
    if row["layout"] in ("class_folders", "webdataset"):
        where = "files in folders" if row["layout"] == "class_folders" else "members of tars with a part"
        return f"{where} named {', '.join([*row['real'], *row['fake']])}"
    if row["layout"] in ("shared_reals", "paired"):
        return f"files in folders named {', '.join([*row['reals'], *row['generators']])}"
    if row["layout"] == "fakes_only":
        return f"files {row.get('files', '*')} in a folder for each generator"
    return f"lines in {row['list']}" if row["layout"] == "listed" else f"rows in {row['files']}"


def _found(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return (", ".join(names[:MAX_SHOWN]) or "nothing") + more
