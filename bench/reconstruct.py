"""Reconstruction against a plain loop, in one run.    python bench/reconstruct.py --vae FOLDER --photos FOLDER

The plain loop is what one would write first: one image, float32, open, encode and decode, save. The engine is the stage
itself on the same photos and VAE, from the index to the manifest. The photos of 2N and 4N are copies of those of N, so
that the work is exactly two and four times as much. The engine's rate is that of its last three quarters, without what
processes and models take to load; the whole time is told beside it.
"""

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import inputs
import yaml
from measure import measured
from PIL import Image

from dda import catalog, params, quiet
from dda.io import devices

ROOT = Path(__file__).parents[1]
MIN_WORK = 0.5  # of the time that the start takes, which varies by a second or two
SD21 = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 768,
}


def main() -> None:
    """Measure, and print what was measured."""
    options = parsed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        row = row_of(options.vae, folder)
        photos = inputs.photos_of(options.photos, options.n, folder, options.size)
        print(f"{options.vae} on {len(photos)} photos, {inputs.described(photos)}; {inputs.machine()}", flush=True)
        plain = measured(__file__, "plain", {"row": row, "photos": photos, "precision": options.plain_precision})
        print(f"plain loop, {options.plain_precision}: {line(plain)}", flush=True)
        slots = devices.slots(options.cpus_per_worker)
        runs, start_s = {}, 0.0
        for label, count in {"one": 1, "N": len(photos), "2N": 2 * len(photos), "4N": 4 * len(photos)}.items():
            task = {"folder": str(folder / label), "row": row, "photos": inputs.repeated(photos, count)}
            run = runs[label] = measured(__file__, "engine", task | {"engine": vars(options)})
            start_s = start_s or run["seconds"] - run["model_s"]
            run["work_s"] = run["seconds"] - start_s
            if run["work_s"] >= MIN_WORK * start_s:
                run["rate"] = count / run["work_s"]
            print(f"engine, {label:>3} = {count} photos: {line(run)}", flush=True)
        conclude(plain, runs, len(photos), len(slots))


def parsed() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vae", default="tiny", help="a row of the catalog, a diffusers folder, or sd21-random")
    parser.add_argument("--photos", default="embedded", help="a folder, or embedded")
    parser.add_argument(
        "--size", default="", help="only photos of this size, such as 640x480; others are resized to it"
    )
    parser.add_argument("--n", type=int, default=96, help="photos of the first of three sizes of the set")
    parser.add_argument("--precision", default="auto", help="of the engine")
    parser.add_argument("--plain-precision", default="float32", help="of the plain loop")
    parser.add_argument("--compile", action="store_true", help="the engine uses torch.compile")
    parser.add_argument("--batch-pixels", type=int, default=300_000, help="through the VAE at once")
    parser.add_argument("--photos-per-shard", type=int, default=4, help="of the engine")
    parser.add_argument("--cpus-per-worker", type=int, default=1, help="as in params.yaml")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, task = options.work
        {"plain": plain_loop, "engine": engine}[kind](json.loads(Path(task).read_text()))
        sys.exit()
    return options


def row_of(name: str, folder: Path) -> dict[str, Any]:
    """A row of the catalog, or one for a diffusers folder."""
    if name in catalog.table("vaes"):
        return catalog.get("vaes", name)
    if name == "sd21-random":
        import torch
        from diffusers import AutoencoderKL

        torch.manual_seed(0)
        AutoencoderKL(**SD21).save_pretrained(folder / name)
    path = folder / name if name == "sd21-random" else Path(name).resolve()
    config = json.loads((path / "config.json").read_text())
    blocks = config.get("decoder_block_out_channels") or config["block_out_channels"]
    facts = {"class": config["_class_name"], "path": str(path), "stride": 2 ** (len(blocks) - 1), "licence": "unknown"}
    return facts | {"latent_channels": config["latent_channels"]}


def plain_loop(task: dict[str, Any]) -> None:
    """One image after the other; prints its time without what loading takes."""
    import numpy as np
    import torch

    from dda.io import vaes

    device = devices.best()
    vae = vaes.load(task["row"], device, task["precision"]).to(memory_format=torch.contiguous_format)
    stride = task["row"]["stride"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        for number, path in enumerate(task["photos"]):
            photo = Image.open(path).convert("RGB")
            photo = photo.crop((0, 0, photo.width - photo.width % stride, photo.height - photo.height % stride))
            values = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            with torch.no_grad():
                encoded = vae.encode(values.to(device, vae.dtype))
                latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
                decoded = vae.decode(latents).sample.float().clamp(-1, 1)[0].permute(1, 2, 0).cpu().numpy()
            Image.fromarray(((decoded + 1) * 127.5).round().astype("uint8")).save(Path(folder) / f"{number}.png")
        seconds = time.monotonic() - started
        print(json.dumps({"seconds": seconds, "rate": len(task["photos"]) / seconds}))


def engine(task: dict[str, Any]) -> None:
    """The stage, on an index of these photos; prints its time, and for how long the model computed."""
    from dda.io import photos, tables
    from dda.stages import index, reconstruct

    folder, options = Path(task["folder"]), task["engine"]
    (folder / "data/photos").mkdir(parents=True)
    for number, path in enumerate(task["photos"]):
        shutil.copyfile(path, folder / f"data/photos/{number:06d}{Path(path).suffix.lower()}")
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    changes = {key: options[key] for key in ("precision", "compile", "batch_pixels", "cpus_per_worker")}
    n_shards = math.ceil(len(task["photos"]) / options["photos_per_shard"])
    values["reconstruct"] |= changes | {"shards": n_shards}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    os.chdir(folder)
    chosen = params.load(Path("params.yaml"))
    rows = [index.index_file(path, chosen.paths.photos, chosen.index) for path in photos.find(chosen.paths.photos)]
    tables.write(chosen.paths.index, rows, index.COLUMNS)
    started = time.monotonic()
    reconstruct.rebuild(chosen, "vae", task["row"])
    seconds = time.monotonic() - started
    made = tables.read(chosen.paths.reconstructions / "vae/manifest.parquet")
    model_s = float(made["seconds"].sum())
    print(json.dumps({"seconds": seconds, "model_s": model_s, "psnr_db": float(made["psnr"].mean())}))


def conclude(plain: dict[str, Any], runs: dict[str, dict[str, Any]], count: int, workers: int) -> None:
    """Print ratio, share of the model's time, growth of time and memory."""
    last = runs["4N"]
    whole, before = 4 * count / last["seconds"], plain["rate"]
    start_s = runs["one"]["seconds"] - runs["one"]["model_s"]
    print(f"processes and models take {start_s:.1f} s to start")
    if "rate" not in last:
        print(f"{4 * count} photos take too little time beside that to tell a rate: take more, with --n")
        return
    print(f"engine against plain loop: {last['rate'] / before:.2f} times as many photos a second")
    print(f"with that start, at 4N: {whole / before:.2f} times as many")
    print(f"the model computes {last['model_s'] / (workers * last['work_s']):.0%} of the time of {workers} worker(s)")
    if "rate" not in runs["N"]:
        print(f"{count} photos take too little time beside that start to tell growth: take more, with --n")
        return
    for label, times in {"2N": 2, "4N": 4}.items():
        growth = runs[label]["work_s"] / (times * runs["N"]["work_s"])
        memory = runs[label]["peak_bytes"] / runs["N"]["peak_bytes"]
        print(f"{label}: {growth:.2f} of linear growth of time, {memory:.2f} times the memory of N")


def line(run: dict[str, Any]) -> str:
    """A run in words."""
    quality = f", mean {run['psnr_db']:.2f} dB" if "psnr_db" in run else ""
    rate = f", {run['rate']:.2f} a second" if "rate" in run else ""
    return f"{run['seconds']:.1f} s{rate}, {run['peak_bytes'] / 2**30:.2f} GiB at most{quality}"


if __name__ == "__main__":
    quiet.apply()
    main()
