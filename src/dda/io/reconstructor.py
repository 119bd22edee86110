"""A VAE on a device, kept busy: batches go in while the results of earlier ones are fetched.

Memory that does not suffice halves what goes in at once.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dda.core.precision import MIN_PSNR_DB, agreement_db, passed, probe
from dda.core.reconstruction import Pixels, RoundTrip, posterior_noise, rounded, through, tile_corners
from dda.io import devices, vaes

NOT_FINITE = "the VAE gave values that are not finite"
Facts = tuple[tuple[str, Any], ...]


@dataclass
class Sample:
    """A photo (H, W, 3) on its way: fitted to the stride, then with its fake, or with the reason why there is none."""

    image_id: str
    photo: Pixels | None = None
    fitted: Pixels | None = None
    fake: Pixels | None = None
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Model:
    """A VAE by the facts of its row, as items, and how it computes."""

    facts: Facts
    precision: str
    compile: bool


class Reconstructor:
    """Photos to fakes. `batch_pixels` bounds what passes through the VAE at once."""

    def __init__(self, vae: Any, trip: RoundTrip, batch_pixels: int) -> None:
        self.vae, self.trip, self.batch_pixels = vae, trip, batch_pixels

    def stream(self, batches: Iterable[list[Sample]]) -> Iterator[Sample]:
        """Every sample of every batch, in order. The samples of a batch are fitted to one size, or have an error."""
        earlier: list[Sample] = []
        flights: list[Flight] = []
        for batch in batches:
            started = self._launch([sample for sample in batch if not sample.error])
            yield from landed(earlier, flights)
            earlier, flights = batch, started
        yield from landed(earlier, flights)

    def _launch(self, samples: list[Sample]) -> list["Flight"]:
        """Start the VAE on samples of one size; in parts where memory did not suffice before, or does not now."""
        flights: list[Flight] = []
        while samples:
            part, at_once = self._part(samples)
            flight = self._fly(part, at_once)
            if flight:
                flights.append(flight)
            else:
                devices.release_memory()  # here, where neither an error nor a frame holds on to what was allocated
                if at_once > 1:
                    self._halve(part[0], at_once)
                    continue
                part[0].error = f"out of memory with {self._told(part[0], 1)}"
            samples = samples[len(part) :]
        return flights

    def _part(self, samples: list[Sample]) -> tuple[list[Sample], int]:
        """The first samples that go in together, and how many photos, or tiles of a single one, that are at once."""
        height, width = size_of(samples[0])
        at_once = max(1, self.batch_pixels // self._unit_pixels(samples[0]))
        if self.trip.tiled(height, width):
            return samples[:1], min(at_once, len(tile_corners(height, width, self.trip)))
        return samples[:at_once], len(samples[:at_once])

    def _halve(self, sample: Sample, at_once: int) -> None:
        self.batch_pixels = at_once // 2 * self._unit_pixels(sample)
        told = f"out of memory with {self._told(sample, at_once)} at once: going on with {at_once // 2}"
        print(told, file=sys.stderr, flush=True)

    def _unit_pixels(self, sample: Sample) -> int:
        """Pixels of what goes in as one: a photo, or a tile of it."""
        height, width = size_of(sample)
        if self.trip.tiled(height, width):
            return min(height, self.trip.tile_px) * min(width, self.trip.tile_px)
        return height * width

    def _told(self, sample: Sample, count: int) -> str:
        height, width = size_of(sample)
        number, ending = ("one", "") if count == 1 else (count, "s")
        unit = f"tile{ending} of a photo" if self.trip.tiled(height, width) else f"photo{ending}"
        return f"{number} {unit} of {width}x{height}"

    def _fly(self, samples: list[Sample], tiles_at_once: int) -> "Flight | None":
        """Samples on their way through the VAE; None where memory does not suffice."""
        device = self.vae.device
        fitted = [sample.fitted for sample in samples if sample.fitted is not None]
        try:
            photos = devices.upload(np.stack(fitted), device)
            drawn = posterior_noise([sample.image_id for sample in samples], self.trip, *photos.shape[1:3])
            noise = None if drawn is None else devices.upload(drawn, device)
            work = devices.Timed(device)
            values = through(self.vae, photos, noise, self.trip, tiles_at_once)
            return Flight(samples, work.finish(rounded(values), values.isfinite().flatten(1).all(1)))
        except (RuntimeError, MemoryError) as error:
            if not devices.out_of_memory(error):
                raise
        return None


def landed(samples: list[Sample], flights: list["Flight"]) -> Iterator[Sample]:
    """Samples, when those of them that fly are there."""
    for flight in flights:
        flight.land()
    yield from samples


def size_of(sample: Sample) -> tuple[int, int]:
    """Height and width in pixels, as fitted."""
    assert sample.fitted is not None
    return sample.fitted.shape[0], sample.fitted.shape[1]


@dataclass
class Flight:
    """Samples that are under way on a device."""

    samples: list[Sample]
    work: devices.Timed

    def land(self) -> None:
        """Wait for the device, and give every sample its fake."""
        (fakes, finite), seconds = self.work.wait()
        for sample, fake, good in zip(self.samples, fakes, finite, strict=True):
            sample.seconds, sample.fitted = seconds / len(self.samples), None
            if good:
                sample.fake = fake
            else:
                sample.error = NOT_FINITE


@lru_cache(maxsize=1)
def loaded(model: Model) -> Any:
    """The VAE on this process's device; the last one is kept for the next shard."""
    import torch

    vae = vaes.load(dict(model.facts), devices.best(), model.precision)
    if model.compile:
        # sizes of photos vary; dynamic from the start, or the first size would decide how all others are computed
        vae.encoder = torch.compile(vae.encoder, dynamic=True)
        vae.decoder = torch.compile(vae.decoder, dynamic=True)
    return vae


@lru_cache(maxsize=1)
def ready(model: Model, trip: RoundTrip, batch_pixels: int) -> Reconstructor:
    """This process's reconstructor: for the next shard it still has its VAE, and knows what memory did not suffice for.

    A compiled VAE has seen one and two images of one size before any photo, so that none decides how it is compiled.
    """
    vae = loaded(model)
    if model.compile:
        passed(vae, trip, probe()[:1])
        passed(vae, trip, probe())
    return Reconstructor(vae, trip, batch_pixels)


def fastest(facts: Facts, trip: RoundTrip) -> dict[str, Any]:
    """The fastest precision of this process's device that agrees with float32 by MIN_PSNR_DB, and what was measured."""
    row, measured = dict(facts), {}
    candidates = devices.fast_precisions(devices.best())
    exact = passed(loaded(Model(facts, "float32", False)), trip, probe()) if candidates else None
    for precision in candidates:
        if precision == "float16" and not row.get("float16", True):
            continue
        assert exact is not None
        found = agreement_db(exact, passed(loaded(Model(facts, precision, False)), trip, probe()))
        measured[precision] = found
        if found >= MIN_PSNR_DB:
            return {"precision": precision, "psnr_db": measured}
    return {"precision": "float32", "psnr_db": measured}
