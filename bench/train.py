"""Training against a plain loop, in one run.    python bench/train.py --detector dinov2-l14 --photos FOLDER

The engine is what `dda train` updates a network with, here on views that lie ready in memory. The plain loop is what
one would write first: float32, AdamW as it comes, images normalised on the CPU and copied as floats, the loss read in
every step; network, adapters, batch and views are the same. It runs before the engine and after it, since a machine's
speed drifts. Then the whole trainer runs on pairs from disk, whose fakes are lightly blurred photos: its rate says
whether the loader keeps the engine busy. Weights are random, which changes no rate, so nothing is fetched.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import align
import inputs
import operations
from measure import measured

from dda import catalog, params, quiet
from dda.io import devices

ROOT = Path(__file__).parents[1]
WARM_UP = 3  # updates: compiled, allocated, chosen
Task = dict[str, Any]


def main() -> None:
    """Measure, and print what was measured."""
    options = parsed()
    task = task_of(options)
    settings = task["settings"]
    per_update = f"{task['images']} images of {task['row']['preprocessing']['input_px']} px an update"
    print(f"{options.detector}, {settings['precision']}, {per_update}; {inputs.machine()}", flush=True)
    peak = operations.peak(devices.best(), settings["precision"])
    print(f"peak of {settings['precision']} matrices: {peak / 1e12:.3f} TFLOP/s", flush=True)
    runs = {}
    for number, kind in enumerate(("plain", "engine", "plain")):
        runs[number] = measured(__file__, kind, task)
        print(f"{named(kind, task)}: {line(runs[number])}", flush=True)
    conclude(runs[1], [runs[0], runs[2]], peak)
    with tempfile.TemporaryDirectory() as name:
        photos = inputs.photos_of(options.photos, options.n, Path(name), options.size)
        task |= {"folder": str(Path(name) / "project"), "photos": photos}
        print(f"{len(photos)} pairs on disk, {inputs.described(photos)}", flush=True)
        conclude_fed(measured(__file__, "fed", task), runs[1], task)


def parsed() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", default="dinov2-l14", help="a row of the catalog, with random weights")
    parser.add_argument("--photos", default="embedded", help="a folder, or embedded")
    parser.add_argument("--size", default="", help="photos are resized to it, such as 640x480")
    parser.add_argument("--n", type=int, default=64, help="pairs on disk, which are drawn again and again")
    parser.add_argument("--updates", type=int, default=20, help="that are timed, of each kind")
    parser.add_argument("--batch-pairs", type=int, default=8, help="of one update, all at once; six views of each")
    parser.add_argument("--precision", default="bfloat16", choices=["bfloat16", "float32"], help="of the engine")
    parser.add_argument("--plain-float32", action="store_true", help="the plain loop does without TF32")
    parser.add_argument("--compile", action="store_true", help="the engine uses torch.compile")
    parser.add_argument("--workers", default="auto", help="processes of the loader; auto as `dda train` chooses them")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, file = options.work
        kinds = {"plain": plain, "engine": ready, "fed": fed}
        print(json.dumps(kinds[kind](json.loads(Path(file).read_text()))))
        sys.exit()
    return options


def task_of(options: argparse.Namespace) -> Task:
    """What every run is told: the row, and the recommended settings with those of the command line."""
    on_gpu = devices.best() != "cpu"
    workers = (devices.cores() if on_gpu else 0) if options.workers == "auto" else int(options.workers)
    settings = params.load(ROOT / "profiles/recommended.yaml").train.model_dump()
    settings |= {"batch_pairs": options.batch_pairs, "micro_batch_pairs": options.batch_pairs}
    settings |= {"precision": options.precision, "selection": {"validations_per_epoch": 1, "patience": None}}
    settings["machine"] |= {"compile": options.compile, "loader_workers": workers}
    return {
        "row": catalog.get("detectors", options.detector) | {"pretrained": False},
        "settings": settings,
        "images": options.batch_pairs * 2 * len(settings["views"]["scales"]),
        "updates": options.updates,
        "tf32": on_gpu and not options.plain_float32,
    }


def adapted(row: Task) -> Any:
    """The network, with what the row trains."""
    from dda.core.networks import adapt
    from dda.io import backbones

    return adapt(backbones.build(row), row)


def plain(task: Task) -> Task:
    """The plain loop's rate."""
    import torch

    from dda.core.windows import normalise
    from dda.io import loader

    torch.set_float32_matmul_precision("high" if task["tf32"] else "highest")
    torch.backends.cudnn.allow_tf32 = task["tf32"]
    device, seen = devices.best(), task["row"]["preprocessing"]
    network = adapted(task["row"]).to(device).train()
    optimiser = torch.optim.AdamW(weight for weight in network.parameters() if weight.requires_grad)
    views, labels = views_of(task), loader.labels(task["images"])

    def update(_: int) -> float:
        images = normalise(views, seen["mean"], seen["std"]).contiguous().to(device)
        optimiser.zero_grad()
        logits = network(images).squeeze(1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(device))
        loss.backward()
        optimiser.step()
        return float(loss.item())

    return rate_of(update, task)


def ready(task: Task) -> Task:
    """The engine's rate on views that lie ready."""
    from dda.io import engine

    started, views = engine.start(task["row"], task["settings"]), views_of(task)
    run = rate_of(lambda step: started.update(step, WARM_UP + task["updates"], [views]).loss, task)
    return run | operations.of_an_image(adapted, task["row"])


def views_of(task: Task) -> Any:
    """Noise in place of views, uint8 (N, size, size, 3): no rate depends on what is seen."""
    import torch

    side = task["row"]["preprocessing"]["input_px"]
    views = torch.randint(0, 256, (task["images"], side, side, 3), dtype=torch.uint8)
    return views.pin_memory() if devices.best() != "cpu" else views


def rate_of(update: Callable[[int], float], task: Task) -> Task:
    """Images a second of updates after those that warm up."""
    import torch

    device = torch.device(devices.best())
    for step in range(WARM_UP):
        update(step)
    began = operations.now(device)
    losses = [update(WARM_UP + step) for step in range(task["updates"])]
    seconds = operations.now(device) - began
    if not all(map(math.isfinite, losses)):
        sys.exit("the loss is no number: such updates are skipped, and their rate says nothing")
    return {"rate": len(losses) * task["images"] / seconds, "seconds": seconds, **device_bytes(device)}


def device_bytes(device: Any) -> dict[str, int]:
    """The most memory of a GPU that this process used at once."""
    import torch

    return {"device_bytes": torch.cuda.max_memory_allocated(device)} if device.type == "cuda" else {}


def fed(task: Task) -> Task:
    """Rates of the loader while nobody trains, and of the whole trainer, both on pairs from disk."""
    from dda.core.sampling import Plan
    from dda.io import engine, loader, tracking
    from dda.io.trainer import Trainer

    align.prepare(task)
    align.timed_stage(task | {"steps": "recommended"})
    settings = task["settings"]
    pairs, workers = (
        loader.Pairs([Path("artifacts/aligned") / align.VAE], "train"),
        settings["machine"]["loader_workers"],
    )
    started = WARM_UP + workers  # as many batches come at once when the workers begin
    last = started + task["updates"]
    batch = {name: settings[name] for name in ("batch_pairs", "micro_batch_pairs", "seed")}
    # one more than is timed: an epoch's last update may be smaller
    draws = math.ceil((last + 1) * settings["batch_pairs"] / len(pairs))
    plan = Plan(len(pairs), epochs=1, draws_per_pair=draws, **batch)
    views = loader.PairViews.of(pairs, settings, task["row"]["preprocessing"]["input_px"])
    alone: list[float] = []
    for _ in loader.batches(views, list(plan.micro_batches(0, 0, 1))[:last], workers):
        alone.append(time.perf_counter())
    made: list[float] = []
    trainer = Trainer(engine.start(task["row"], settings), plan, pairs, pairs, Path("scratch"), "bench")
    trainer.go(tracking.silent(), lambda _: made.append(time.perf_counter()))
    images = task["updates"] * task["images"]
    return {
        "alone": images / (alone[last - 1] - alone[started - 1]),
        "rate": images / (made[last - 1] - made[started - 1]),
        "stock": min(workers * loader.PREFETCHED, task["updates"]),
    }


def named(kind: str, task: Task) -> str:
    """A run's name."""
    if kind == "engine":
        return f"engine, {task['settings']['precision']}{', compiled' * task['settings']['machine']['compile']}"
    return f"plain loop, float32{' as TF32' * task['tf32']}"


def line(run: Task) -> str:
    """A run in words."""
    where = ("device_bytes", " on the GPU") if "device_bytes" in run else ("peak_bytes", "")
    return f"{run['rate']:.2f} images a second, {run[where[0]] / 2**30:.2f} GiB at most{where[1]}"


def conclude(engine: Task, plains: list[Task], peak: float) -> None:
    """Print the engine's share of the peak, and its ratio to the plain loop."""
    forward, backward = engine["forward"], engine["backward"]
    print(f"an image: {forward / 1e9:.2f} GFLOP forward, {backward / 1e9:.2f} backward")
    rate = engine["rate"] * (forward + backward)
    print(f"engine: {rate / 1e12:.3f} TFLOP/s in products and convolutions, {rate / peak:.1%} of the peak")
    before = sum(one["rate"] for one in plains) / len(plains)
    print(f"engine against plain loop: {engine['rate'] / before:.2f} times as many images a second", flush=True)


def conclude_fed(run: Task, engine: Task, task: Task) -> None:
    """Print what the loader makes, and how much of the engine's rate is left when it is fed from disk."""
    workers = task["settings"]["machine"]["loader_workers"]
    times = f"{run['alone'] / engine['rate']:.2f} times what the engine takes"
    print(f"loader alone, {workers} worker(s): {run['alone']:.2f} images a second, {times}")
    stock = f"; at most {run['stock']} updates of {task['updates']} came out of stock" if run["stock"] else ""
    share = f"{run['rate'] / engine['rate']:.1%} of the engine's on ready views"
    print(f"trainer, fed from disk: {run['rate']:.2f} images a second, {share}{stock}")


if __name__ == "__main__":
    quiet.apply()
    main()
