"""Batches through a VAE: order, errors, memory that does not suffice, and the choice of a precision."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dda import catalog
from dda.core.reconstruction import RoundTrip, fit_to_stride, reconstruct
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import devices, reconstructor, vaes
from dda.io.reconstructor import NOT_FINITE, Model, Reconstructor, Sample
from tests.vaes import SMALL

pytestmark = pytest.mark.usefixtures("one_thread")
PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "astronaut"))[0])
TRIP = RoundTrip(4, 4)
TILES = RoundTrip(4, 4, tile_above_pixels=1, tile_px=64, overlap_px=32)
TINY = tuple(sorted(catalog.get("vaes", "tiny").items()))
SIDE_PX = 64


class Stretching(torch.nn.Module):
    """A VAE whose arithmetic is exact in any batch: cells are blocks of 4x4 pixels, at a contrast stretched per image.

    An image of one colour has no contrast: 0 / 0. Above `limit` numbers it asks for more memory than there is.
    """

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, limit=None, appetite=None):
        super().__init__()
        self.limit, self.appetite, self.seen = limit, appetite or torch.empty, []

    def encode(self, values):
        self.seen.append(len(values))
        if self.limit is not None and values.numel() > self.limit:
            self.appetite(1 << 60, dtype=torch.uint8)
        low, high = (ends.view(-1, 1, 1, 1) for ends in (values.flatten(1).amin(1), values.flatten(1).amax(1)))
        stretched = (values - low) / (high - low) * 2 - 1
        return SimpleNamespace(latents=torch.nn.functional.pixel_unshuffle(stretched, 4))

    def decode(self, latents):
        return SimpleNamespace(sample=torch.nn.functional.pixel_shuffle(latents, 4))


@pytest.fixture(scope="module")
def tiny():
    return vaes.load(dict(TINY), "cpu")


@pytest.fixture
def loaded():
    """The cache of loaded VAEs, empty before and after."""
    reconstructor.loaded.cache_clear()
    yield reconstructor.loaded
    reconstructor.loaded.cache_clear()


def photo(number, height=SIDE_PX, width=SIDE_PX):
    """Another part of the photograph for each number."""
    top, left = number * 37 % (512 - height), number * 91 % (512 - width)
    return PHOTO[top : top + height, left : left + width]


def sample(name, pixels=None, trip=TRIP):
    pixels = photo(sum(name.encode())) if pixels is None else pixels
    return Sample(name, pixels, fit_to_stride(pixels, trip))


def through(vae, batches, trip=TRIP, batch_pixels=10**9):
    """What comes of batches of names, or of samples."""
    made = [[sample(one, None, trip) if isinstance(one, str) else one for one in batch] for batch in batches]
    return list(Reconstructor(vae, trip, batch_pixels).stream(made))


def assert_reconstructed(vae, samples, trip=TRIP):
    """Every sample has the fake of its own photo, and nothing of another one's."""
    for one in samples:
        assert one.error is None
        assert one.seconds >= 0
        alone = reconstruct(vae, one.photo[None], trip, [one.image_id])[0]
        assert np.array_equal(one.fake[: one.photo.shape[0], : one.photo.shape[1]], alone)


# --- order


@pytest.mark.parametrize("batch_pixels", [1, 3 * SIDE_PX**2, 10**9])
@pytest.mark.parametrize("batches", [[], [[]], ["abc"], ["a", "bcdefg", "", "hi", "j"]])
def test_samples_come_in_the_order_of_their_batches_each_with_its_own_fake(batches, batch_pixels):
    made = through(Stretching(), batches, batch_pixels=batch_pixels)
    assert [one.image_id for one in made] == list("".join("".join(batch) for batch in batches))
    assert_reconstructed(Stretching(), made)


@pytest.mark.parametrize("trip", [TRIP, TILES], ids=["whole", "tiles"])
def test_a_batch_is_bounded_by_its_pixels(trip):
    vae = Stretching()
    made = through(vae, [[sample(name, photo(n, 64, 120), trip) for n, name in enumerate("abcde")]], trip, 2 * 64 * 120)
    assert vae.seen == ([2, 2, 1] if trip is TRIP else [3] * 5)
    assert_reconstructed(vae, made, trip)


def test_a_batch_is_started_before_the_one_before_it_is_awaited():
    """So that a GPU goes on while the host fetches."""
    vae, taken = Stretching(), []
    batches = ([sample(name)] for name in "abcd")
    for one in Reconstructor(vae, TRIP, 10**9).stream(batches):
        taken.append(one)
        assert len(vae.seen) == min(4, len(taken) + 1)


def test_errors_of_before_are_carried_through_in_their_place():
    batches = [["a", Sample("b", error="gone"), "c"], [Sample("d", error="changed")], [Sample("e", error="gone"), "f"]]
    made = through(Stretching(), batches)
    assert [(one.image_id, one.error) for one in made] == [
        *[("a", None), ("b", "gone"), ("c", None)],
        *[("d", "changed"), ("e", "gone"), ("f", None)],
    ]
    assert_reconstructed(Stretching(), [one for one in made if not one.error])


def test_what_is_no_longer_needed_is_let_go(tiny):
    (made,) = through(tiny, ["a"])
    assert made.fitted is None


# --- single samples that fail


@pytest.mark.parametrize("trip", [TRIP, TILES], ids=["whole", "tiles"])
def test_values_that_are_not_finite_fail_their_image_only(trip):
    grey = sample("grey", np.full((SIDE_PX, SIDE_PX, 3), 77, np.uint8), trip)
    made = through(Stretching(), [["a", grey, "b"]], trip)
    assert [one.error for one in made] == [None, NOT_FINITE, None]
    assert made[1].fake is None
    assert_reconstructed(Stretching(), [made[0], made[2]], trip)


def test_an_error_of_the_vae_itself_stops_the_work(tiny):
    wrong = [Sample("a", photo(1), photo(1)[:, :, :2])]
    with pytest.raises(RuntimeError, match="channels"):
        through(tiny, [wrong])


# --- memory that does not suffice


def numbers(n_photos):
    return n_photos * SIDE_PX * SIDE_PX * 3


@pytest.mark.parametrize(
    "appetite", [torch.empty, lambda size, dtype: np.empty(size, np.uint8)], ids=["torch", "numpy"]
)
def test_a_batch_is_halved_until_memory_suffices_and_that_is_said_and_remembered(appetite, capfd):
    vae = Stretching(numbers(3), appetite)
    made = through(vae, ["abcdefgh", "ijk"])
    assert vae.seen == [8, 4, 2, 2, 2, 2, 2, 1]
    assert capfd.readouterr().err.splitlines() == [
        "out of memory with 8 photos of 64x64 at once: going on with 4",
        "out of memory with 4 photos of 64x64 at once: going on with 2",
    ]
    assert [one.image_id for one in made] == list("abcdefghijk")
    assert_reconstructed(Stretching(), made)


def test_the_smaller_budget_holds_for_other_sizes():
    vae = Stretching(numbers(2))
    larger = [sample(name, photo(n, 128, 64)) for n, name in enumerate("ef")]
    through(vae, ["abcd", larger])
    assert vae.seen == [4, 2, 2, 1, 1]


def test_an_odd_number_is_halved_too():
    vae = Stretching(numbers(1))
    assert all(one.fake is not None for one in through(vae, ["abc"]))
    assert vae.seen == [3, 1, 1, 1]


def test_a_photo_that_is_too_large_alone_is_a_row_with_the_reason_once():
    vae = Stretching(numbers(2))
    large = [sample(name, photo(n, 256, 256)) for n, name in enumerate("bc")]
    made = through(vae, ["a", large, "d"])
    assert [one.image_id for one in made] == list("abcd")
    told = "out of memory with one photo of 256x256"
    assert [one.error for one in made] == [None, told, told, None]
    assert_reconstructed(Stretching(), [made[0], made[3]])


def test_tiles_are_halved_as_well(capfd):
    vae, trip = Stretching(numbers(2)), TILES
    made = through(vae, [[sample("a", photo(1, 128, 160), trip)], [sample("b", photo(2, 128, 160), trip)]], trip)
    assert vae.seen == [12, 6, 3, *[1] * 12, *[1] * 12]
    assert "out of memory with 12 tiles of a photo of 160x128 at once: going on with 6" in capfd.readouterr().err
    assert_reconstructed(Stretching(), made, trip)


def test_a_tile_that_is_too_large_alone_is_a_row_with_the_reason():
    (made,) = through(Stretching(10), [[sample("a", photo(1, 128, 160), TILES)]], TILES)
    assert made.error == "out of memory with one tile of a photo of 160x128"


@pytest.mark.parametrize("posterior", ["mode", "sample"])
def test_the_bytes_are_the_same_with_and_without_halving(posterior):
    trip = replace(TRIP, posterior=posterior)
    enough, halved = (through(Stretching(limit), ["abcdef", "gh"], trip) for limit in (None, numbers(1)))
    assert [one.fake.tobytes() for one in enough] == [one.fake.tobytes() for one in halved]


def test_halving_changes_a_real_vaes_fakes_by_a_grey_level_at_most(tiny):
    """Other sizes of a batch may take other routines of the CPU, which add up in another order."""
    pairs = zip(*(through(tiny, ["abc"], batch_pixels=pixels) for pixels in (10**9, 1)), strict=True)
    for enough, halved in pairs:
        assert np.abs(enough.fake.astype(int) - halved.fake).max() <= 1
        assert (enough.fake != halved.fake).mean() < 0.01


# --- loading, and the choice of a precision


@pytest.fixture
def fast(monkeypatch):
    """A device that computes these precisions faster than float32."""

    def made(*precisions):
        monkeypatch.setattr(devices, "fast_precisions", lambda _device: list(precisions))
        monkeypatch.setenv("DDA_DEVICE", "cpu")

    return made


def facts_of(folder, vae, stride):
    vae.save_pretrained(folder)
    row = {"class": type(vae).__name__, "path": str(folder), "stride": stride, "latent_channels": 4}
    return tuple(sorted(row.items()))


def overflowing():
    """The embedded VAE, but that values before its last layer are a million times what they were."""
    vae = vaes.load(dict(TINY), "cpu")
    vae.decoder.layers[-2].weight.mul_(1e6)
    vae.decoder.layers[-1].weight.div_(1e6)
    return vae


def rough():
    """A VAE of random weights whose values go far beyond white and black, and there the last digits count."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    vae = AutoencoderTiny(**SMALL["AutoencoderTiny"])
    for weights in (weights for weights in vae.parameters() if weights.ndim == 4):
        torch.nn.init.orthogonal_(weights, gain=1.5)
    return vae


def test_a_loaded_vae_is_kept_for_the_next_shard(loaded, fast):
    fast()
    model = Model(TINY, "bfloat16", False)
    assert loaded(model) is loaded(Model(TINY, "bfloat16", False))
    assert loaded(model).dtype == torch.bfloat16
    assert reconstructor.ready(model, TRIP, 1000).vae is loaded(model)


def test_without_a_faster_precision_float32_is_taken_unmeasured(loaded, fast):
    fast()
    assert reconstructor.fastest(TINY, TRIP) == {"precision": "float32", "psnr_db": {}}


def test_the_first_fast_precision_that_is_exact_enough_is_taken(loaded, fast):
    fast("bfloat16", "float16")
    found = reconstructor.fastest(TINY, TRIP)
    assert found["precision"] == "bfloat16"
    assert list(found["psnr_db"]) == ["bfloat16"]
    assert 45 <= found["psnr_db"]["bfloat16"] < 70


def test_a_precision_in_which_the_vae_overflows_is_not_taken(loaded, fast, tmp_path):
    fast("float16", "bfloat16")
    found = reconstructor.fastest(facts_of(tmp_path, overflowing(), 4), TRIP)
    assert found["precision"] == "bfloat16"
    assert found["psnr_db"]["float16"] == float("-inf")


def test_below_45_decibels_float32_is_taken(loaded, fast, tmp_path):
    fast("bfloat16")
    found = reconstructor.fastest(facts_of(tmp_path, rough(), 8), RoundTrip(8, 4))
    assert found["precision"] == "float32"
    assert 10 < found["psnr_db"]["bfloat16"] < 45


def test_float16_is_not_tried_where_the_row_forbids_it(loaded, fast):
    fast("float16")
    forbidden = tuple(sorted({**dict(TINY), "float16": False}.items()))
    assert reconstructor.fastest(forbidden, TRIP) == {"precision": "float32", "psnr_db": {}}


# --- on a GPU


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, taken as a worker takes it."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    monkeypatch.setenv("DDA_DEVICE", "cuda:0")
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn
    for name in ("benchmark", "deterministic", "allow_tf32"):
        monkeypatch.setattr(cudnn, name, getattr(cudnn, name))
    devices.take(devices.Slot("cuda:0", threads))
    return torch.device("cuda:0")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["AutoencoderTiny", "AutoencoderKL"])
def test_batches_in_flight_on_a_gpu_give_the_pixels_of_one_after_the_other(gpu, kind):
    """Many batches, each read only after the next one has begun: what overtakes or overwrites would be seen."""
    import diffusers

    torch.manual_seed(0)
    vae, trip = getattr(diffusers, kind)(**SMALL[kind]).eval().to(gpu), RoundTrip(8, 4, posterior="sample")
    batches = [[sample(f"{n}-{k}", photo(7 * n + k, 128, 96), trip) for k in range(4)] for n in range(40)]
    expected = [reconstruct(vae, np.stack([s.photo for s in b]), trip, [s.image_id for s in b]) for b in batches]
    made = list(Reconstructor(vae, trip, 10**9).stream(iter(batches)))
    assert np.array_equal(np.stack([one.fake for one in made]), np.concatenate(expected))
    assert all(0 < one.seconds < 5 for one in made)


@pytest.mark.gpu
def test_memory_of_a_gpu_does_not_grow_with_the_number_of_batches(gpu):
    vae, peaks = vaes.load(dict(TINY), "cuda:0"), []
    for n_batches in (4, 60):
        torch.cuda.reset_peak_memory_stats()
        batches = ([sample(f"{n}-{k}", photo(n + k, 256, 256)) for k in range(4)] for n in range(n_batches))
        assert sum(1 for _ in Reconstructor(vae, TRIP, 10**9).stream(batches)) == 4 * n_batches
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] <= 1.1 * peaks[0]


@pytest.mark.gpu
def test_a_gpu_that_is_too_small_for_a_batch_halves_it(gpu, capfd):
    """A share of the GPU that holds some photos and not all: torch raises its own error."""
    vae, names = vaes.load(dict(TINY), "cuda:0"), "abcdefghijklmnop"
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(400e6 / torch.cuda.mem_get_info()[1])
    try:
        large = [sample(name, photo(n, 480, 480)) for n, name in enumerate(names)]
        made = list(Reconstructor(vae, TRIP, 10**9).stream([large]))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert [one.image_id for one in made] == list(names)
    assert all(one.fake is not None for one in made)
    assert "out of memory with 16 photos of 480x480 at once: going on with 8" in capfd.readouterr().err
