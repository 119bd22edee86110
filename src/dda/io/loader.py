"""Views for training and windows for validation, read out of the shards by processes of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from dda.core import views, windows
from dda.core.errors import SetupError
from dda.core.sampling import Draw
from dda.core.seeds import generator
from dda.io import pairs, photos
from dda.io.pairs import SIDES, PairSet

PREFETCHED = 4  # micro-batches, or batches of windows, that each worker holds ready
LOSSES = (RuntimeError, ConnectionError, EOFError, FileNotFoundError)  # how that of a worker may first show
PLACES = ("offset", "size", "width", "height")


@dataclass(frozen=True)
class Pair:
    """Where one pair lies."""

    folder: Path
    row: Mapping[str, Any]

    def picture(self, side: str) -> Image.Image:
        """The `real` or the `fake`, RGB. Raises SetupError where it cannot be decoded."""
        try:
            return PairSet(self.folder, []).picture(dict(self.row), side)
        except (photos.PhotoRejected, ValueError) as error:
            raise SetupError(f"{self.name} of {self.folder}: {error}: fetch or make the set again") from error

    @property
    def name(self) -> str:
        """Its fake's name in the shard: no other pair of the folder has it."""
        return str(self.row["fake_name"])


class Pairs:
    """All pairs of a split of several sets, as columns: a million of them take 100 MB, and workers get a copy each."""

    def __init__(self, folders: Sequence[Path], split: str) -> None:
        sets = [pairs.load(folder, split) for folder in folders]
        rows = [(number, row) for number, one in enumerate(sets) for row in one.rows]
        self.folders = [one.folder for one in sets]
        self.folder = np.array([number for number, _ in rows], np.int16)
        self.words = {name: np.array([row[name].encode() for _, row in rows]) for name in ("shard", "fake_name")}
        places = [f"{side}_{key}" for side in SIDES for key in PLACES]
        self.places = {name: np.array([row[name] for _, row in rows], np.int64) for name in places}

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, number: int) -> Pair:
        words = {name: values[number].decode() for name, values in self.words.items()}
        places = {name: int(values[number]) for name, values in self.places.items()}
        return Pair(self.folders[self.folder[number]], words | places)


@dataclass(frozen=True)
class PairViews(Dataset[Any]):
    """All views of a drawn pair: uint8 (n views, size, size, 3), real and fake in turn."""

    pairs: Pairs
    settings: Mapping[str, Any]
    input_px: int
    seed: int

    @classmethod
    def of(cls, chosen: Pairs, settings: Mapping[str, Any], input_px: int) -> "PairViews":
        """The views that the section `train` asks for."""
        return cls(chosen, settings["views"], input_px, settings["seed"])

    def __getitem__(self, draw: Draw) -> NDArray[np.uint8]:
        pair = self.pairs[draw.pair]
        # by the pair's name and not its number, so that a pair's views stay when others join the set
        rng = generator(self.seed, "views", str(draw.epoch), str(draw.repeat), pair.folder.name, pair.name)
        drawn = views.draw(self.settings, rng)
        return np.stack(views.views_of([pair.picture(side) for side in SIDES], drawn, self.input_px))


@dataclass(frozen=True)
class PairWindows(Dataset[Any]):
    """The centre windows of a pair: uint8 (2, size, size, 3), real and fake."""

    pairs: Pairs
    input_px: int

    def __getitem__(self, number: int) -> NDArray[np.uint8]:
        pair = self.pairs[number]
        pixels = (np.asarray(pair.picture(side)) for side in SIDES)
        return np.stack([windows.centre_window(image, self.input_px) for image in pixels])


def batches(dataset: Dataset[Any], chosen: Sequence[Any] | Iterator[Any], workers: int) -> DataLoader[Any]:
    """Batches as uint8 tensors (N, size, size, 3), an empty one for an empty list of items.

    `chosen` gives the items of each batch. With 0 workers this process reads by itself.
    """
    parallel: dict[str, Any] = {}
    if workers:
        parallel = {
            "multiprocessing_context": "forkserver",  # a fork of a process with threads and a GPU can hang
            "prefetch_factor": PREFETCHED,
            "worker_init_fn": _begin,
            "persistent_workers": True,  # the windows are asked for again after every part of an epoch
        }
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=chosen,
        num_workers=workers,
        collate_fn=_joined,
        pin_memory=torch.cuda.is_available(),
        **parallel,
    )
    return loader


def read(loader: DataLoader[Any]) -> Iterator[Any]:
    """The loader's batches. Raises SetupError in its own words, also where a worker raised it, or was lost."""
    try:
        yield from loader
    except SetupError as error:  # torch puts the worker's whole traceback into the message
        raise SetupError(str(error).rpartition(f"{SetupError.__name__}: ")[2].strip()) from error
    except LOSSES as error:
        if not loader.num_workers or (isinstance(error, RuntimeError) and "DataLoader worker" not in str(error)):
            raise
        told = "a process that reads pairs was lost (often for lack of memory: see machine.loader_workers)"
        raise SetupError(f"{told}: run again to go on from the last state") from error


def labels(n_images: int) -> Any:
    """The labels (N,) float32 of a batch, in which real and fake come in turn."""
    return torch.tensor(list(SIDES.values()), dtype=torch.float32).repeat(n_images // 2)


def _joined(samples: Sequence[NDArray[np.uint8]]) -> Any:
    return torch.from_numpy(np.concatenate(samples)) if samples else torch.empty(0, dtype=torch.uint8)


def _begin(_: int) -> None:
    """A worker is one of as many as there are cores: it starts no threads of its own."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
