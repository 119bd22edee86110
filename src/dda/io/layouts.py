"""Labelled images on disk, whatever the layout: each layout gives the same records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import pairs, photos, shards


@dataclass(frozen=True)
class LabelledImage:
    """One image to be judged. `cluster` is what must stay together when intervals are drawn: the pair, or the image."""

    image_id: str
    cluster: str
    generator: str
    label: int
    path: Path
    place: tuple[int, int] | None = None

    def read(self) -> bytes:
        """The image file's bytes. Raises PhotoRejected where they cannot be read."""
        return shards.read_at(self.path, *self.place) if self.place else photos.read_bytes(self.path)


def aligned(folder: Path, split: str) -> Iterator[LabelledImage]:
    """Both sides of every pair of one split; the generator is the VAE, whose name the folder bears.

    A real of which there are several fakes is there once.
    """
    pair_set = pairs.load(folder, split)
    for row in pair_set.rows:
        for side, label in pairs.SIDES.items():
            if label == REAL and row["variant"]:
                continue
            place = (row[f"{side}_offset"], row[f"{side}_size"])
            generator = folder.name if label == FAKE else "real"
            yield LabelledImage(
                row[f"{side}_name"],
                row["image_id"],
                generator,
                label,
                folder / row["shard"],
                place,
            )


def class_folders(folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    """Every file below a folder with a class's name, at any depth; what lies elsewhere has no label and is an error.

    The generator is the first folder below the benchmark's own, or the benchmark where class folders lie in it.
    """
    labels = dict.fromkeys(row["real"], REAL) | dict.fromkeys(row["fake"], FAKE)
    if not folder.is_dir():
        raise SetupError(f"no benchmark folder at {folder}: put the benchmark there, then `dvc add data`")
    for path in photos.find(folder):
        parts = path.relative_to(folder).parts
        classes = [part for part in parts[:-1] if part in labels]
        if not classes:
            raise SetupError(f"{path} lies in no class folder; expected one of {', '.join(labels)} above it")
        name = "/".join(parts).encode("utf-8", "backslashreplace").decode()
        generator = folder.name if parts[0] == classes[-1] else parts[0]
        yield LabelledImage(name, name, generator, labels[classes[-1]], path)
