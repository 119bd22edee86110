"""What detectors learn from raw, published and recommended pairs.    python bench/learn.py --photos DIR --work DIR

The paper's claim in small: one small network, trained from scratch on the same photos and reconstructions, aligned in
three ways, each with several seeds, is judged on held-out pairs of two VAEs and on benchmarks, native and with every
image saved again as JPEG of quality 96. States are selected on each way's own validation pairs. Everything lies below
--work and is not made again; several processes may take different --ways.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from dda import catalog, params, quiet
from dda.core import metrics
from dda.io import detectors, layouts, photos, tables
from dda.io.layouts import LabelledImage
from dda.params import Params

ROOT = Path(__file__).parents[1]
MAX_PIXELS = 200_000_000
SAMPLES = 1000
CLASSES = {
    "real": ["0_real", "nature", "real", "real_RAISE_1k"],
    "fake": ["1_fake", "ai", "fake", "dalle2", "stable-diffusion-1-4", "Janus", "minDALL-E"],
}
JPEG = {"step": "match_jpeg", "probability": 1.0, "by": "tables"}
BY_QUALITY = {"step": "match_jpeg", "probability": 1.0, "by": "quality"}
MIXED = {"step": "mix_pixels", "probability": 0.2, "real_weight": [0.0, 0.8]}


def frequencies(cutoff: float) -> list[dict[str, Any]]:
    """The steps that make both spectra alike."""
    taken = {"step": "mix_frequencies", "probability": 1.0, "real_weight": [1.0, 1.0], "cutoff": cutoff}
    return [taken, {"step": "copy_clipped", "probability": 1.0}]


def ways(cutoff: float) -> dict[str, tuple[list[Any], list[Any]]]:
    """Steps for training and for held-out pairs."""
    return {
        "raw": ([], []),
        "paper": ([BY_QUALITY | {"probability": 0.5}, MIXED], [BY_QUALITY]),
        "recommended": ([*frequencies(cutoff), MIXED, JPEG], [*frequencies(cutoff), JPEG]),
    }


def main() -> None:
    """Make what is missing, and print the table of all that is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="a folder to keep everything in")
    parser.add_argument("--benchmarks", type=Path, help="a folder of benchmarks, each with class folders")
    parser.add_argument("--vae", type=Path, help="a diffusers folder of the VAE to train on; else the embedded one")
    parser.add_argument("--cutoff", type=float, default=0.16, help="of the recommended alignment for that VAE")
    parser.add_argument("--ways", nargs="*", default=["raw", "paper", "recommended"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    places = {name: path.resolve() for name in ("photos", "benchmarks", "vae") if (path := getattr(options, name))}
    options.work.mkdir(parents=True, exist_ok=True)
    os.chdir(options.work)
    if "vae" in places:
        facts = {"class": "AutoencoderTiny", "path": str(places["vae"]), "stride": 8, "latent_channels": 32}
        catalog.table("vaes")["other"] = facts | {"licence": "its own"}
    cutoffs = {"tiny": 0.12} | ({"other": options.cutoff} if "vae" in places else {})
    trained_on = list(cutoffs)[-1]
    prepare(places["photos"], cutoffs)
    for way in options.ways:
        for seed in range(options.seeds):
            run(way, seed, trained_on, (cutoffs, options.epochs))
            judge(way, seed, list(test_sets(cutoffs, places.get("benchmarks"))))
    conclude()


def chosen(way: str, seed: int, settings: dict[str, Any]) -> Params:
    """The project's parameters with another alignment, written where everything of this way lies."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    for section, keys in settings.items():
        values[section] |= keys
    for name in ("aligned", "audits", "documents"):
        values["paths"][name] = f"{way}/{name}"
    for name in ("checkpoints", "detectors"):
        values["paths"][name] = f"{way}/{seed}/{name}"
    path = Path(f"params-{way}-{seed}.yaml")
    path.write_text(yaml.safe_dump(values))
    return params.load(path)


def aligned(steps: list[Any]) -> dict[str, Any]:
    """Settings of `align` with one fake of each reconstruction."""
    return {"variants": 1, "steps": steps}


def prepare(source: Path, cutoffs: dict[str, float]) -> None:
    """Index, reconstructions by every VAE, and the held-out pairs of every VAE, recommended and only compressed."""
    from dda.stages import align, index, reconstruct

    for vae, cutoff in cutoffs.items():
        for name, steps in {"recommended": [*frequencies(cutoff), JPEG], "compressed": [JPEG]}.items():
            held_out = {"align": {"train": aligned(steps), "held_out": aligned(steps)}, "reconstruct": {"vaes": [vae]}}
            made = chosen(f"held-out-{name}", 0, held_out | {"train": {"vaes": [vae]}})
            if not Path("data/photos").is_dir():
                shutil.copytree(source, "data/photos")
                Path("data/rejected.json").write_text('{"rejected": []}')
                index.run(made)
            if not (made.paths.reconstructions / vae / "manifest.parquet").is_file():
                reconstruct.run(made, vae)
            if not (made.paths.aligned / vae / "pairs.parquet").is_file():
                align.run(made, vae)


def run(way: str, seed: int, vae: str, settings: tuple[dict[str, float], int]) -> None:
    """Align in one way, and train with one seed."""
    from dda.stages import align, train

    cutoffs, epochs = settings
    steps, held_out = ways(cutoffs[vae])[way]
    sections = {
        "align": {"train": aligned(steps), "held_out": aligned(held_out)},
        "reconstruct": {"vaes": [vae]},
        "train": {"vaes": [vae], "seed": seed, "epochs": epochs, "draws_per_pair": 2},
    }
    made = chosen(way, seed, sections)
    if not (made.paths.aligned / vae / "pairs.parquet").is_file():
        align.run(made, vae)
    if not (made.paths.detectors / "embedded/detector.json").is_file():
        train.run(made, "embedded")


def test_sets(cutoffs: dict[str, float], benchmarks: Path | None) -> Iterator[tuple[str, list[LabelledImage]]]:
    """Everything that a detector is judged on, by name."""
    for name in ("recommended", "compressed"):
        for vae in cutoffs:
            folder = Path(f"held-out-{name}/aligned/{vae}")
            yield f"{name} pairs of {vae}", list(layouts.aligned(folder, "test"))
    for folder in sorted(benchmarks.iterdir()) if benchmarks else []:
        yield folder.name, list(layouts.class_folders(folder, CLASSES))


def judge(way: str, seed: int, sets: list[tuple[str, list[LabelledImage]]]) -> None:
    """Logits of every image, native and saved again."""
    path = Path(f"{way}/{seed}/predictions.parquet")
    if path.is_file():
        return
    detector = detectors.NetworkJudge.load(Path(f"{way}/{seed}/detectors/embedded"), "cpu")
    rows: list[dict[str, Any]] = []
    for name, images in sets:
        for image in images:
            pixels = photos.decode_any(image.read(), MAX_PIXELS)
            for protocol, logit in zip(("native", "all-q96"), detector.logits([pixels, saved(pixels)]), strict=True):
                facts = {"cluster": image.cluster, "label": image.label, "logit": logit}
                rows.append({"set": name, "protocol": protocol, "way": way, "seed": seed, **facts})
    tables.write(path, rows, {**dict.fromkeys(("set", "protocol", "way", "cluster"), "str"), **NUMBERS})


NUMBERS = {"seed": "Int64", "label": "Int64", "logit": "Float64"}


def saved(pixels: Any) -> Any:
    """An image after a JPEG file of quality 96, 4:2:0."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=96)
    return np.asarray(Image.open(buffer))


def conclude() -> None:
    """A row for each set and protocol: the mean over seeds of AUROC and balanced accuracy, intervals over images."""
    made = [tables.read(path) for path in sorted(Path().glob("*/*/predictions.parquet"))]
    if not made:
        return
    found = pd.concat(made)
    print("| judged on | protocol | way | AUROC | of each seed | balanced accuracy |\n|---|---|---|---|---|---|")
    for (name, protocol, way), rows in found.groupby(["set", "protocol", "way"], sort=False):
        order = rows.groupby("seed").cumcount()
        wide = rows.pivot_table(index=["cluster", "label", order], columns="seed", values="logit")
        labels = wide.index.get_level_values("label").to_numpy(int)
        told = f"| {name} | {protocol} | {way} |"
        if len(set(labels)) == 1:
            print(f"{told} | | accuracy on fake {np.mean(wide.to_numpy(float) > 0):.3f} |")
            continue
        seeds = " ".join(f"{metrics.auroc(labels, wide[seed].to_numpy(float)):.3f}" for seed in wide)
        both = [mean(wide, labels, metric) for metric in (metrics.auroc, metrics.balanced_accuracy)]
        print(f"{told} {both[0]} | {seeds} | {both[1]} |")


def mean(wide: Any, labels: Any, metric: Any) -> metrics.Estimate:
    """The mean over seeds of a metric, with an interval over images (whole pairs)."""
    table = pd.DataFrame({"label": labels, "logit": np.arange(len(wide)), "cluster": wide.index.get_level_values(0)})
    logits = wide.to_numpy(float)

    def of_all(drawn_labels: Any, numbers: Any) -> float:
        return float(np.mean([metric(drawn_labels, logits[numbers, column]) for column in range(logits.shape[1])]))

    return metrics.bootstrap(of_all, table, SAMPLES, 0)


if __name__ == "__main__":
    quiet.apply()
    main()
