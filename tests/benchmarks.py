"""Miniature trees of the catalog's benchmarks, each as its authors ship it, and what is to be found in them."""

import csv
import hashlib
import io
import tarfile
from collections import Counter
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dda.core.labels import FAKE, REAL


def contents():
    """Small images, each another: PNG bytes without end."""
    for seed in count():
        buffer = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG")
        yield buffer.getvalue()


def write_files(folder, *names):
    for name, content in zip(names, contents(), strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def write_parquet(path, columns, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)


def as_struct(images):
    """Images as the `datasets` library stores them."""
    return [{"bytes": image, "path": f"{number}.png"} for number, image in enumerate(images)]


def write_tar(path, *names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in zip(names, contents(), strict=False):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def some(n):
    return [content for content, _ in zip(contents(), range(n), strict=False)]


def genimage(folder):
    inner = {"ADM": "imagenet_ai_0508_adm", "BigGAN": "imagenet_ai_0419_biggan", "glide": "imagenet_glide"}
    for generator, below in inner.items():
        for split in ("train", "val"):
            place = f"{generator}/{below}/{split}"
            write_files(folder, f"{place}/ai/0.png", f"{place}/ai/1.png", f"{place}/nature/n01440764_1.JPEG")
    names = ("ADM", "BigGAN", "GLIDE")
    return {(FAKE, name, "generated"): 2 for name in names} | {(REAL, name, "ImageNet"): 1 for name in names}


def drct(folder):
    for generator in ("sd-turbo", "stable-diffusion-2-1"):
        write_files(folder, *(f"images/{generator}/{split}2017/000000000139.png" for split in ("train", "val")))
    write_files(folder, "val2017/000000000139.jpg", "fake_rec_images/sd-turbo/val2017/000000000139.png")
    fakes = {(FAKE, name, "generated"): 1 for name in ("SD Turbo", "Stable Diffusion 2.1")}
    return fakes | {(REAL, "real", "COCO val2017"): 1}


def dda_coco(folder):
    for vae in ("FLUX.1", "sdxl-vae"):
        write_files(folder, f"DDA-COCO/{vae}/val2017/000000000139.jpg")
    write_files(folder, "val2017/000000000139.jpg", "val2017/000000000285.jpg")
    fakes = {(FAKE, name, "generated"): 1 for name in ("FLUX.1 VAE", "SDXL VAE")}
    return fakes | {(REAL, "real", "COCO val2017"): 2}


def evalgen(folder):
    write_files(folder, *(f"EvalGEN/{name}/00001_{number}.jpg" for name in ("Flux", "GoT") for number in range(20)))
    return {(FAKE, name, "generated"): 1 for name in ("FLUX", "GoT")}


def synthbuster(folder):
    names = ("dalle2/r05839451t.png", "firefly/r05839451t.png", "real_RAISE_1k/r05839451t.png")
    write_files(folder, *(f"synthbuster/{name}" for name in names))
    lines = [(hashlib.md5((folder / f"synthbuster/{name}").read_bytes()).hexdigest(), name) for name in names]
    (folder / "synthbuster_checksums.md5").write_text("".join(f"{md5}  {name}\n" for md5, name in lines))
    return {(FAKE, "DALL-E 2", "generated"): 1, (FAKE, "Firefly", "generated"): 1, (REAL, "real", "RAISE"): 1}


def forensynths(folder):
    places = ("progan/airplane", "progan/cat", "biggan", "whichfaceisreal")
    write_files(folder, *(f"test/{place}/{side}/0.png" for place in places for side in ("0_real", "1_fake")))
    found = {"ProGAN": 2, "BigGAN": 1, "WhichFaceIsReal": 1}
    fakes = {(FAKE, name, "generated"): n for name, n in found.items()}
    return fakes | {(REAL, name, "ForenSynths"): n for name, n in found.items()}


def aigcdetectbenchmark(folder):
    places = ("stylegan2/horse", "DALLE2", "Glide")
    write_files(folder, *(f"test/{place}/{side}/0.png" for place in places for side in ("0_real", "1_fake")))
    names = ("StyleGAN2", "DALL-E 2", "GLIDE")
    fakes = {(FAKE, name, "generated"): 1 for name in names}
    return fakes | {(REAL, name, "AIGCDetectBenchmark"): 1 for name in names}


def chameleon(folder):
    write_files(folder, *(f"Chameleon/test/{name}.jpg" for name in ("0_real/a", "0_real/b", "1_fake/a")))
    return {(FAKE, "chameleon", "generated"): 1, (REAL, "chameleon", "Chameleon"): 2}


def synthwildx(folder):
    write_files(folder, "real/G1.jpg", "dalle3/G2.jpg", "midjourney_v5/G3.jpg", "firefly/G4.jpg", "list.csv")
    names = ("DALL-E 3", "Midjourney v5", "Firefly")
    return {(FAKE, name, "generated"): 1 for name in names} | {(REAL, "real", "X"): 1}


def wildrf(folder):
    sides = ("0_real/a.jpg", "1_fake/a.jpg")
    write_files(folder, *(f"WildRF/{split}/{side}" for split in ("train", "val") for side in sides))
    platforms = ("reddit", "twitter", "facebook")
    write_files(folder, *(f"WildRF/test/{platform}/{side}" for platform in platforms for side in sides))
    names = zip(("Reddit", "X", "Facebook"), platforms, strict=True)
    return {(label, name, source): 1 for name, source in names for label in (REAL, FAKE)}


def bfree_online(folder):
    names = ("REAL/s01/img00000.jpg", "REAL/s01/img00001.jpg", "FAKE/s02/img00002.jpg")
    write_files(folder, *names)
    header = ["filename", "label", "source_id", "date", "days_since_1st_post", "w", "h", "md5", "url"]
    with (folder / "BFree_viral_images.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for name in names:
            md5 = hashlib.md5((folder / name).read_bytes()).hexdigest()
            label, source, _ = name.split("/")
            writer.writerow([name, label, source, "2024-01-01", 0, 8, 8, md5, "https://example.com/a,b.jpg"])
    return {(REAL, "real", "online"): 2, (FAKE, "viral", "generated"): 1}


def mnw(folder):
    write_files(folder, "AI_Images/flux/flux_0a.jpg", "AI_Images/sora_Edits/sora_Edits_0a.jpg")
    write_files(folder, "AI_media_in_the_wild/Images/likely_authentic/0.jpg", "Video/a.mp4", "Audio/a.wav")
    return {(FAKE, "flux", "generated"): 1, (FAKE, "sora_Edits", "generated"): 1}


def aigi_now(folder):
    write_tar(folder / "pixel.tar", *(f"flux-dev/{name}.png" for name in ("0_real/a", "1_fake/a", "1_fake/b")))
    return {(REAL, "flux-dev", "COCO"): 1, (FAKE, "flux-dev", "generated"): 2}


def t2i_corebench(folder):
    write_files(folder, "FLUX.2/a/0.png", "GPT-Image-1.5/a/0.png", "GPT-Image-1.5/a/1.png")
    return {(FAKE, "FLUX.2", "generated"): 1, (FAKE, "GPT-Image-1.5", "generated"): 2}


def universalfakedetect(folder):
    below = folder / "diffusion_datasets"
    write_files(below, "imagenet/0_real/a.png", "laion/0_real/a.png", "guided/1_fake/a.png", "dalle/1_fake/a.png")
    reals = {(REAL, "Guided diffusion", "ImageNet"): 1, (REAL, "real", "LAION"): 1}
    return reals | {(FAKE, "Guided diffusion", "generated"): 1, (FAKE, "DALL-E", "generated"): 1}


def community_forensics(folder):
    facts = {"image_name": ["a", "b", "b"], "label": [0, 1, 1], "real_source": ["RAISE", None, None]}
    facts |= {"model_name": ["RAISE", "gan-x", "gan-y"], "image_data": some(3), "split": ["test"] * 3}
    write_parquet(folder / "data/CompEval-00000-of-00001.parquet", facts)
    return {(REAL, "real", "RAISE"): 1, (FAKE, "gan-x", "generated"): 1, (FAKE, "gan-y", "generated"): 1}


def openfake(folder):
    facts = {"image": as_struct(some(3)), "label": ["real", "fake", "fake"], "model": ["real", "flux", "flux"]}
    write_parquet(folder / "core/test-00000-of-00001.parquet", facts)
    write_parquet(folder / "core/train-00000-of-00001.parquet", facts)
    return {(REAL, "real", "OpenFake"): 1, (FAKE, "flux", "generated"): 2}


def so_fake_ood(folder):
    words = ["real", "synthetic", "tampered"]
    facts = {"image": as_struct(some(3)), "filename": ["a", "b", "c"], "label": words, "generator": words}
    write_parquet(folder / "data/test-00000-of-00001.parquet", facts)
    fakes = {(FAKE, word, "generated"): 1 for word in words[1:]}
    return fakes | {(REAL, "real", "Reddit"): 1}


def aigibench(folder):
    places = ("CommunityAI", "SocialRF")
    write_files(folder, *(f"test/{place}/{side}/0.png" for place in places for side in ("0_real", "1_fake")))
    return {(FAKE, name, "generated"): 1 for name in places} | {(REAL, name, "AIGIBench"): 1 for name in places}


def realchain(folder):
    write_files(folder, "Real/a.jpg", "Flux1/a.jpg", "SDv3.5/a.jpg", "i2i/a.jpg", "degradation_chains.json")
    names = ("FLUX.1", "Stable Diffusion 3.5", "image to image")
    return {(FAKE, name, "generated"): 1 for name in names} | {(REAL, "real", "RealChain"): 1}


def truefake(folder):
    for share in ("pre", "fb"):
        write_files(folder, f"{share}/Fake/FLUX/conditional/a.jpg", f"{share}/Real/FFHQ/a.jpg")
    found = {(FAKE, "FLUX", share): 1 for share in ("pre", "fb")}
    return found | {(REAL, "real", share): 1 for share in ("pre", "fb")}


def itw_sm(folder):
    write_files(folder, "0_real/a.jpg", "1_fake/a.jpg")
    return {(REAL, "social media", "social media"): 1, (FAKE, "social media", "generated"): 1}


def opensdid(folder):
    facts = {"image": as_struct(some(2)), "label": [0, 1]}
    for name in ("sd15", "flux"):
        write_parquet(folder / f"data/{name}-00000-of-00002.parquet", facts)
        write_parquet(folder / f"data/{name}-00001-of-00002.parquet", facts)
    fakes = {(FAKE, name, "generated"): 2 for name in ("sd15", "flux")}
    return fakes | {(REAL, name, "megalith-10m"): 2 for name in ("sd15", "flux")}


def ai_genbench(folder):
    facts = {"image": as_struct(some(2)), "label": [0, 1], "generator": [None, "Glide"]}
    write_parquet(folder / "test.parquet", facts)
    return {(REAL, "real", "AI-GenBench"): 1, (FAKE, "Glide", "generated"): 1}


def uniattack(folder):
    write_files(folder, "faces/0 1.jpg", "faces/1.jpg", "faces/2.jpg", "faces/3.jpg")
    words = ("live", "physical-print", "digital-swap", "digital-swap")
    names = ("0 1", "1", "2", "3")
    lines = (f"faces/{name}.jpg {word}\n" for name, word in zip(names, words, strict=True))
    (folder / "test.txt").write_text("".join(lines))
    fakes = {(FAKE, "physical-print", "generated"): 1, (FAKE, "digital-swap", "generated"): 2}
    return fakes | {(REAL, "real", "live"): 1}


def own(folder):
    write_files(folder, "real/a.jpg", "MyGAN/fake/a.jpg")
    return {(REAL, "own", "own"): 1, (FAKE, "MyGAN", "generated"): 1}


TREES = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(genimage, dda_coco, evalgen, synthbuster, forensynths, aigcdetectbenchmark, chameleon, synthwildx, wildrf),
        *(bfree_online, mnw, aigi_now, t2i_corebench, universalfakedetect, community_forensics, openfake, so_fake_ood),
        *(aigibench, realchain, truefake, itw_sm, opensdid, ai_genbench, uniattack, own),
    )
} | {"drct-2m": drct}
"""By the row's name: makes the tree in a folder of that name, and gives (label, generator, source) -> how many."""


def counted(images):
    return Counter((image.label, image.generator, image.source) for image in images)
