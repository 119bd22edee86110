"""A VAE's reconstructions: faithful, the same whoever makes them, kept as long as nothing changes that decides them."""

import hashlib
import inspect
import json
import os
import re
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from dda import catalog
from dda import params as parameters
from dda.core import reconstruction
from dda.core.errors import SetupError
from dda.core.reconstruction import centre, psnr
from dda.io import photos, progress, shards, tables, vaes
from dda.params.sections import Reconstruct
from dda.stages import index, reconstruct

ROOT = Path(__file__).parents[2]
TINY = catalog.get("vaes", "tiny")
EMBEDDED = ROOT / "src/dda/embedded/tiny"
SIZES = {"coffee": (101, 83), "chelsea": (64, 90), "portrait": (83, 101), "rocket": (64, 64)}
SIZES |= {"motorcycle": (120, 83), "astronaut": (101, 83)}
ALL = {"shard-00000", "shard-00001", "shard-00002"}


@pytest.fixture(scope="module")
def template(tiles, tmp_path_factory):
    """The folder of a project whose twelve small photos are indexed and reconstructed, in three shards."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "data/photos").mkdir(parents=True)
    for name, (width, height) in SIZES.items():
        for number in range(2):
            picture = Image.open(BytesIO(tiles[f"{name}-tile{number:02d}.jpg"])).crop((0, 0, width, height))
            picture.save(folder / f"data/photos/{name}-tile{number:02d}.jpg", quality=90)
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    values["reconstruct"] |= {"shards": 3}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        params = parameters.load(Path("params.yaml"))
        index.run(params)
        reconstruct.run(params, "tiny")
    return folder


@pytest.fixture
def small(template, tmp_path, monkeypatch):
    """A copy of that project of a test's own, its folder being the current one: the parameters."""
    shutil.copytree(template, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return parameters.load(Path("params.yaml"))


def with_settings(params, **changes):
    section = {**params.reconstruct.model_dump(), **changes}
    return parameters.Params.model_validate({**params.model_dump(), "reconstruct": section})


def stamps(folder):
    """Of every shard the digest of its bytes, and when it was written."""
    return {one.stem: (photos.sha256(one.read_bytes()), one.stat().st_mtime_ns) for one in folder.glob("*.tar")}


def touched(params, row=TINY):
    """The names of shards that another run makes, makes anew or removes."""
    folder = params.paths.reconstructions / "tiny"
    before = stamps(folder)
    reconstruct.rebuild(params, "tiny", row)
    after = stamps(folder)
    assert sorted(path.stem for path in folder.glob("shard-*.json")) == sorted(after)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def anew(params, row=TINY):
    """The digests of all shards, made in an empty folder."""
    shutil.rmtree(params.paths.reconstructions, ignore_errors=True)
    reconstruct.rebuild(params, "tiny", row)
    return digests(params.paths.reconstructions / "tiny")


def origin(params, row=TINY):
    """The digest of all that decides pixels, but for the photos."""
    return reconstruct.job_of(params, row, Path("unused"), None).origin


def pictures(params):
    """Every reconstruction's PNG bytes by image id."""
    folder, rows = reconstructed(params)
    kept = [row for row in rows if not row["error"]]
    return {row["image_id"]: shards.read_at(folder / row["shard"], row["offset"], row["size"]) for row in kept}


def pixels(content):
    return np.asarray(Image.open(BytesIO(content)))


def real_pixels(params):
    """The photos' pixels by image id."""
    rows = tables.records(tables.read(params.paths.index))
    return {row["image_id"]: pixels((params.paths.photos / row["path"]).read_bytes()) for row in rows}


def id_of(params, path):
    rows = tables.records(tables.read(params.paths.index))
    return next(row["image_id"] for row in rows if row["path"] == path)


def shard_with(params, path):
    """The shard that holds a photo."""
    return f"shard-{reconstruct.shard_of(id_of(params, path), params.reconstruct.shards):05d}"


def errors(params):
    """The reasons of failed photos, by image id."""
    return {row["image_id"]: row["error"] for row in reconstructed(params)[1] if row["error"]}


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def reconstructed(params):
    folder = params.paths.reconstructions / "tiny"
    return folder, tables.records(tables.read(folder / "manifest.parquet"))


def test_every_used_photo_has_a_lossless_reconstruction_of_its_own_size(line):
    folder, rows = reconstructed(line)
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in tables.records(tables.read(line.paths.index))}
    assert {row["image_id"] for row in rows} == set(sizes)
    for row in rows:
        picture = Image.open(BytesIO(shards.read_at(folder / row["shard"], row["offset"], row["size"])))
        assert (picture.format, picture.size) == ("PNG", sizes[row["image_id"]])


def test_the_manifest_tells_the_psnr_that_the_pixels_have(line):
    folder, rows = reconstructed(line)
    paths = {row["image_id"]: row["path"] for row in tables.records(tables.read(line.paths.index))}
    for row in rows[:5]:
        real = np.asarray(Image.open(line.paths.photos / paths[row["image_id"]]))
        fake = np.asarray(Image.open(BytesIO(shards.read_at(folder / row["shard"], row["offset"], row["size"]))))
        assert row["psnr"] == pytest.approx(psnr(real, fake))
        assert 20 < row["psnr"] < 60


def test_a_second_run_keeps_finished_shards_untouched(copied_line):
    folder, _ = reconstructed(copied_line)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.tar")}
    reconstruct.run(copied_line, "tiny")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.tar")} == before


def test_shards_made_anew_have_the_same_bytes_and_leftovers_are_removed(copied_line):
    folder, _ = reconstructed(copied_line)
    before = digests(folder)
    (folder / ".shard-00001.tar.abc.part").write_bytes(b"half a shard")
    (folder / "shard-00099.tar").write_bytes(b"of another plan")
    (folder / "shard-00000.tar").unlink()
    (folder / "shard-00001.json").unlink()
    reconstruct.run(copied_line, "tiny")
    assert digests(folder) == before
    assert not list(folder.glob(".*"))


def test_one_more_photo_touches_one_shard(copied_line, tiles):
    folder, _ = reconstructed(copied_line)
    before = digests(folder)
    (copied_line.paths.photos / "coffee-tile77.jpg").write_bytes(tiles["coffee-tile00.jpg"])
    index.run(copied_line)
    reconstruct.run(copied_line, "tiny")
    after = digests(folder)
    assert sum(before[name] != after[name] for name in before) == 1


def test_shards_of_other_weights_or_code_are_not_kept(copied_line):
    folder, _ = reconstructed(copied_line)
    for path in folder.glob("shard-*.json"):
        written = json.loads(path.read_text())
        path.write_text(json.dumps(written | {"fingerprint": "of other weights"}))
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.tar")}
    reconstruct.run(copied_line, "tiny")
    assert all(path.stat().st_mtime_ns > before[path] for path in folder.glob("*.tar"))


def test_the_fingerprint_changes_with_weights_and_code(tmp_path, line):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae/model.safetensors").write_bytes(b"one")
    row = {"path": str(tmp_path / "vae")}
    first = vaes.identity(row)
    (tmp_path / "vae/model.safetensors").write_bytes(b"two")
    assert vaes.identity(row) != first
    assert shards.code_digest(photos) != shards.code_digest(shards)


def test_a_photo_that_changed_since_it_was_indexed_is_a_row_with_the_reason(project, tiles):
    params = project(tiles, reconstruct={"max_failed": 0.2})
    index.run(params)
    (params.paths.photos / "coffee-tile00.jpg").write_bytes(tiles["coffee-tile01.jpg"])
    (params.paths.photos / "coffee-tile01.jpg").unlink()
    reconstruct.run(params, "tiny")
    errors = [row["error"] for row in reconstructed(params)[1] if row["error"]]
    assert sorted(errors) == ["cannot be read: No such file or directory", "changed since it was indexed"]


def test_more_failures_than_allowed_stop_the_stage(project, tiles):
    params = project(tiles)
    index.run(params)
    (params.paths.photos / "coffee-tile00.jpg").unlink()
    with pytest.raises(SetupError, match="1 of 20 photos failed"):
        reconstruct.run(params, "tiny")


def test_an_unknown_vae_is_named_with_its_nearest(line):
    with pytest.raises(SetupError, match=r"no VAE 'tinny' in the catalog. Did you mean 'tiny'"):
        reconstruct.run(line, "tinny")


# --- what a change makes anew


def test_a_run_over_finished_shards_touches_none(small):
    assert stamps(small.paths.reconstructions / "tiny").keys() == ALL
    assert touched(small) == set()


def test_a_photo_more_and_a_photo_less_touch_its_shard_only(small, tiles):
    (small.paths.photos / "coffee-tile77.jpg").write_bytes(tiles["coffee-tile02.jpg"])
    index.run(small)
    its_shard = {shard_with(small, "coffee-tile77.jpg")}
    assert touched(small) == its_shard
    assert id_of(small, "coffee-tile77.jpg") in pictures(small)
    (small.paths.photos / "coffee-tile77.jpg").unlink()
    index.run(small)
    assert touched(small) == its_shard
    assert len(pictures(small)) == 12


def test_another_photo_under_an_indexed_name_touches_its_shard_only(small):
    (small.paths.photos / "rocket-tile00.jpg").write_bytes((small.paths.photos / "rocket-tile01.jpg").read_bytes())
    index.run(small)
    assert touched(small) == {shard_with(small, "rocket-tile00.jpg")}


@pytest.mark.parametrize(
    "change",
    [
        {"fit": "crop"},
        {"posterior": "sample"},
        {"seed": 1},
        {"precision": "bfloat16"},
        {"batch_pixels": 20_000},
        {"tiles": {"tile_above_pixels": 4_000_000, "tile_px": 1024, "overlap_px": 64}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_parameter_that_decides_pixels_touches_every_shard(small, change):
    assert touched(with_settings(small, **change)) == ALL


def test_compiling_and_each_number_of_the_tiles_are_part_of_the_fingerprint(small):
    tiles = small.reconstruct.tiles.model_dump()
    others = [{"compile": True}, *({"tiles": {**tiles, name: 2 * value}} for name, value in tiles.items())]
    found = {origin(with_settings(small, **change)) for change in others}
    assert len(found | {origin(small)}) == 5


def test_another_number_of_shards_touches_all_and_removes_those_of_before(small):
    assert touched(with_settings(small, shards=2)) == ALL
    assert stamps(small.paths.reconstructions / "tiny").keys() == {"shard-00000", "shard-00001"}


def test_other_weights_touch_every_shard_and_the_same_ones_elsewhere_none(small):
    shutil.copytree(EMBEDDED, "weights")
    row = {**TINY, "path": "weights"}
    del row["embedded"]
    assert touched(small, row) == set()
    tensors = load_file(f"weights/{vaes.WEIGHTS}")
    tensors["decoder.layers.0.bias"] += 0.5
    save_file(tensors, f"weights/{vaes.WEIGHTS}", {"format": "pt"})
    assert touched(small, row) == ALL


def test_another_stride_touches_every_shard(small):
    assert touched(small, {**TINY, "stride": 8}) == ALL


@pytest.mark.parametrize("fact", ["class", "stride", "latent_channels", "time_axis", "source", "subfolder", "revision"])
def test_every_fact_of_a_row_that_decides_pixels_is_part_of_the_fingerprint(small, fact):
    row = {"class": "AutoencoderKL", "source": "some/where", "revision": "0f", "stride": 8, "latent_channels": 4}
    assert origin(small, {**row, fact: "another"}) != origin(small, row)


def test_facts_that_decide_no_pixel_touch_no_shard(small):
    assert touched(small, {**TINY, "licence": "MIT", "gated": True, "float16": False, "note": "a comment"}) == set()


def test_who_does_the_work_touches_no_shard(small):
    assert touched(with_settings(small, cpus_per_worker=2)) == set()
    assert origin(with_settings(small, executor="ray", max_failed=0.5)) == origin(small)


def test_what_changes_no_result_is_no_parameter_for_dvc():
    listed = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]["reconstruct"]["params"]
    names = {one.removeprefix("reconstruct.") for one in listed if isinstance(one, str)}
    section = set(Reconstruct.model_fields)
    assert section - names == {"vaes", "executor", "cpus_per_worker"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("import numpy as np\n", "import numpy as np  # a comment\n\n\n", set()),
        ("Floats in [-1, 1] to grey levels", "Grey levels", set()),
        (".round()", ".round().add(0)", ALL),
    ],
    ids=["comment", "docstring", "statement"],
)
def test_a_change_of_the_code_touches_every_shard_but_a_change_of_its_words_none(
    small, monkeypatch, before, after, expected
):
    source = Path(reconstruction.__file__).read_text("utf-8")
    Path("edited.py").write_text(source.replace(before, after, 1), "utf-8")
    assert Path("edited.py").read_text("utf-8") != source
    monkeypatch.setattr(reconstruction, "__file__", str(Path("edited.py").absolute()))
    assert touched(small) == expected


def test_the_code_that_decides_pixels_covers_what_makes_a_shard_and_draws_its_noise():
    covered = {part.__name__ for part in reconstruct.code()}
    assert {"dda.core.seeds", "dda.core.reconstruction", "dda.io.reconstructor", "dda.io.photos"} <= covered
    called = {name for name in inspect.getclosurevars(reconstruct.make_shard).globals if hasattr(reconstruct, name)}
    functions = {name for name in called if inspect.isfunction(getattr(reconstruct, name))}
    assert functions - covered == {"shard_fingerprint"}


# --- bad input


def damage(folder, names):
    """Photos that are deleted, changed, a folder, and of a disk that fails."""
    deleted, changed, folder_now, failing = (folder / name for name in names)
    for path in (deleted, folder_now, failing):
        path.unlink()
    changed.write_bytes(changed.read_bytes() + b"more")
    folder_now.mkdir()
    failing.symlink_to("/proc/self/mem")  # reading its start is an input/output error, for root too


REASONS = {
    "coffee-tile00.jpg": "cannot be read: No such file or directory",
    "chelsea-tile01.jpg": "changed since it was indexed",
    "motorcycle-tile00.jpg": "folder that cannot be listed",
    "portrait-tile01.jpg": "cannot be read: Input/output error",
}


def test_photos_that_are_lost_are_rows_with_the_reason_and_cost_nothing_else(small):
    before = pictures(small)
    params = with_settings(small, max_failed=0.5)
    damage(small.paths.photos, REASONS)
    assert touched(params) == set()  # finished shards need no photo
    anew(params)
    assert errors(params) == {id_of(params, path): reason for path, reason in REASONS.items()}
    assert pictures(params) == {name: content for name, content in before.items() if name not in errors(params)}


def test_a_photo_that_comes_back_makes_its_shard_anew_and_no_other(small):
    params = with_settings(small, max_failed=0.5)
    before, content = digests(params.paths.reconstructions / "tiny"), small.paths.photos / "coffee-tile00.jpg"
    kept = content.read_bytes()
    damage(small.paths.photos, REASONS)
    anew(params)
    assert touched(params) == set()  # none came back
    content.write_bytes(kept)
    its_shard = shard_with(params, "coffee-tile00.jpg")
    assert touched(params) == {its_shard}
    assert id_of(params, "coffee-tile00.jpg") not in errors(params)
    assert len(errors(params)) == 3
    assert touched(params) == set()
    assert before.keys() == digests(params.paths.reconstructions / "tiny").keys()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_photo_without_permission_is_a_row_with_the_reason(small):
    (small.paths.photos / "coffee-tile00.jpg").chmod(0)
    params = with_settings(small, max_failed=0.5)
    anew(params)
    assert list(errors(params).values()) == ["cannot be read: Permission denied"]


def loudest(params):
    """Weights of the embedded VAE that overflow in the one photo that drives its last layer most: row, image id."""
    vae = vaes.load(TINY, "cpu")
    peaks = {}
    for name, photo in real_pixels(params).items():
        trip = reconstruction.RoundTrip(stride=4, latent_channels=4)
        fitted = torch.from_numpy(reconstruction.fit_to_stride(photo, trip)[None].copy())
        peaks[name] = float(reconstruction.through(vae, fitted, None, trip).add(1).abs().max())
    *_, second, first = sorted(peaks, key=peaks.get)
    assert peaks[first] > 1.001 * peaks[second]
    shutil.copytree(EMBEDDED, "loud")
    tensors = load_file(f"loud/{vaes.WEIGHTS}")
    last = max((name for name in tensors if name.startswith("decoder")), key=lambda name: int(name.split(".")[2]))
    factor = torch.finfo(torch.float32).max / (peaks[first] * peaks[second]) ** 0.5
    for name in {last.rpartition(".")[0] + end for end in (".weight", ".bias")} & tensors.keys():
        tensors[name] = tensors[name].double().mul(factor).float()
    save_file(tensors, f"loud/{vaes.WEIGHTS}", {"format": "pt"})
    return {"class": "AutoencoderTiny", "path": "loud", "stride": 4, "latent_channels": 4}, first


@pytest.mark.slow
def test_values_that_are_not_finite_are_rows_with_the_reason_which_are_not_tried_again(small, capsys):
    row, failing = loudest(small)
    params = with_settings(small, max_failed=0.1)
    anew(params, row)
    reason = "the VAE gave values that are not finite"
    assert errors(params) == {failing: reason}
    assert len(pictures(params)) == 11
    assert f"tiny: 1 failed: {reason}" in capsys.readouterr().out
    assert touched(params, row) == set()


def test_a_damaged_shard_is_made_again(small):
    folder = small.paths.reconstructions / "tiny"
    before = digests(folder)
    with (folder / "shard-00001.tar").open("r+b") as file:
        file.truncate(5000)
    assert touched(small) == {"shard-00001"}
    assert digests(folder) == before


@pytest.mark.parametrize("content", [b"", b'{"fingerprint": "0f", "byt', b"[]", b"\xff\xfe", b"null"])
def test_a_damaged_fingerprint_makes_its_shard_again(small, content):
    folder = small.paths.reconstructions / "tiny"
    before = digests(folder)
    (folder / "shard-00002.json").write_bytes(content)
    assert touched(small) == {"shard-00002"}
    assert digests(folder) == before


def test_a_run_that_stops_on_its_way_leaves_no_manifest_of_other_shards(small):
    row = {"class": "AutoencoderTiny", "path": "unloadable", "stride": 4, "latent_channels": 4}
    shutil.copytree(EMBEDDED, "unloadable")
    Path("unloadable", vaes.WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(SetupError, match="cannot load the VAE from unloadable"):
        touched(small, row)
    assert not (small.paths.reconstructions / "tiny/manifest.parquet").exists()


# --- pixels


def test_cropped_reconstructions_resemble_the_middle_of_their_photos(small):
    params = with_settings(small, fit="crop")
    anew(params)
    _, rows = reconstructed(params)
    reals, fakes = real_pixels(params), pictures(params)
    for row in rows:
        real, fake = reals[row["image_id"]], pixels(fakes[row["image_id"]])
        assert fake.shape[:2] == (row["height"], row["width"]) == tuple(side - side % 4 for side in real.shape[:2])
        assert row["psnr"] == pytest.approx(psnr(centre(real, *fake.shape[:2]), fake))
        assert row["psnr"] > 20


def test_a_photo_of_which_a_crop_leaves_nothing_is_a_row_with_the_reason(small):
    Image.new("RGB", (100, 3), "red").save(small.paths.photos / "coffee-tile99.png")
    params = with_settings(small, fit="crop", max_failed=0.1)
    params = params.model_copy(update={"index": params.index.model_copy(update={"min_side_px": 1})})
    index.run(params)
    anew(params)
    assert list(errors(params).values()) == ["a side below 4 px: nothing is left to crop to"]


def test_a_vae_without_a_posterior_gives_the_same_for_mode_and_sample(small):
    by_mode = digests(small.paths.reconstructions / "tiny")
    assert anew(with_settings(small, posterior="sample")) == by_mode


@pytest.fixture(scope="module")
def random_kl(tmp_path_factory):
    """A small VAE with a posterior and random weights: its row."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("kl")
    down, up = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    AutoencoderKL(
        down_block_types=down, up_block_types=up, block_out_channels=(32, 64), norm_num_groups=8
    ).save_pretrained(folder)
    return {"class": "AutoencoderKL", "path": str(folder), "stride": 2, "latent_channels": 4}


def test_a_draw_from_the_posterior_depends_on_seed_and_id_only(small, random_kl):
    params = with_settings(small, posterior="sample", seed=1, batch_pixels=1)
    anew(params, random_kl)
    first = pictures(params)
    anew(with_settings(params, shards=5), random_kl)
    assert pictures(params) == first
    for change in ({"seed": 2}, {"posterior": "mode"}):
        anew(with_settings(params, **change), random_kl)
        assert all(pictures(params)[name] != content for name, content in first.items())


def test_a_vae_with_group_norms_gives_the_same_bytes_for_any_number_of_threads(small, random_kl):
    by_one = anew(with_settings(small, cpus_per_worker=1), random_kl)
    assert anew(with_settings(small, cpus_per_worker=2), random_kl) == by_one


@pytest.mark.slow
def test_shards_are_the_same_bytes_for_any_workers_threads_and_batches(small):
    one_each = anew(with_settings(small, cpus_per_worker=1))
    assert anew(with_settings(small, cpus_per_worker=2)) == one_each
    assert anew(with_settings(small, batch_pixels=1)) == one_each
    assert anew(with_settings(small, batch_pixels=20_000)) == one_each


# --- precision


def test_the_automatic_precision_is_written_down_with_what_was_measured(small):
    params = with_settings(small, precision="auto")
    anew(params)
    written = json.loads((params.paths.reconstructions / "tiny/precision.json").read_text())
    assert written.keys() == {"key", "precision", "psnr_db"}
    assert written["precision"] in vaes.PRECISIONS
    assert touched(params) == set()


def test_a_set_goes_on_in_the_precision_it_was_begun_with_whatever_the_machine(small, capsys, monkeypatch):
    params = with_settings(small, precision="auto")
    anew(params)
    path = params.paths.reconstructions / "tiny/precision.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "precision": "bfloat16"}))
    before = path.read_bytes()
    monkeypatch.setenv("DDA_DEVICE", "cpu")
    assert touched(params) == ALL
    assert "made now in bfloat16" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert touched(with_settings(small, precision="float32")) == ALL
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["other weights", "not JSON", "unknown precision"])
def test_a_precision_that_was_measured_for_something_else_is_measured_again(small, damage):
    params = with_settings(small, precision="auto")
    anew(params)
    path = params.paths.reconstructions / "tiny/precision.json"
    right = path.read_bytes()
    texts = {
        "other weights": json.dumps({"key": "0f", "precision": "bfloat16"}),
        "not JSON": '{"key": "0',
        "unknown precision": json.dumps({**json.loads(right), "precision": "float99"}),
    }
    path.write_text(texts[damage])
    assert touched(params) == set()
    assert json.loads(path.read_text())["precision"] == json.loads(right)["precision"]


def test_bfloat16_agrees_with_float32_by_45_db(line, tmp_path, monkeypatch):
    exact = pictures(line)
    shutil.copytree(line.paths.index.parent, tmp_path / line.paths.index.parent)
    shutil.copytree(line.paths.photos, tmp_path / line.paths.photos)
    monkeypatch.chdir(tmp_path)
    anew(with_settings(line, precision="bfloat16"))
    fast = pictures(line)
    found = {name: psnr(pixels(exact[name]), pixels(fast[name])) for name in exact}
    assert min(found.values()) >= 45
    assert max(found.values()) < float("inf")


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
def test_a_compiled_vae_agrees_with_the_one_that_is_not(small):
    plain = pictures(small)
    params = with_settings(small, compile=True, cpus_per_worker=64)
    assert touched(params) == ALL
    assert errors(params) == {}
    assert min(psnr(pixels(plain[name]), pixels(content)) for name, content in pictures(params).items()) >= 60
    assert touched(params) == set()


# --- what is said


def test_the_summary_tells_what_was_made_kept_and_failed_and_how_fast(small, capsys):
    its_shard = shard_with(small, "coffee-tile00.jpg")
    members = [row for row in reconstructed(small)[1] if row["shard"] == f"{its_shard}.tar"]
    (small.paths.photos / "coffee-tile00.jpg").unlink()
    (small.paths.reconstructions / f"tiny/{its_shard}.tar").unlink()
    reconstruct.run(with_settings(small, max_failed=0.5), "tiny")
    photos_line, speed_line, *reasons = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"tiny: 12 photos = 11 reconstructed \(mean \d\d\.\d\d dB\) \+ 1 failed", photos_line)
    made, kept = len(members), 12 - len(members)
    expected = rf"tiny: {made} made now in float32, \d+\.\d\d a second, and {kept} kept from before"
    assert re.fullmatch(expected, speed_line)
    assert reasons == ["tiny: 1 failed: cannot be read: No such file or directory"]


def test_a_log_gets_lines_of_progress(small, capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    anew(small)
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert lines
    line = r"reconstruct tiny: \d+ of 12 photos, \d+\.\d a second, \d+ s left"
    assert [one for one in lines if not re.fullmatch(line, one)] == []
