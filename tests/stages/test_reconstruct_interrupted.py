"""`dda reconstruct` that is killed, runs out of disk, or gets a very large photo, as a process of its own."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from dda import params as parameters
from dda.io import photos, tables
from dda.stages import index, reconstruct

ROOT = Path(__file__).parents[2]
DDA = [sys.executable, "-c", "from dda.cli import main; main()", "reconstruct", "tiny"]
SET = Path("artifacts/reconstructions/tiny")
N_SHARDS = 6
MOMENTS = [*["start"] * 4, *["work"] * 4, *["end"] * 2]
GIB = 2**30


# --- projects and processes


@pytest.fixture(scope="module")
def indexed(tiles, tmp_path_factory):
    """The folder of a project on twenty tiles, indexed."""
    folder = tmp_path_factory.mktemp("indexed")
    (folder / "data/photos").mkdir(parents=True)
    for name, content in tiles.items():
        (folder / "data/photos" / name).write_bytes(content)
    write_params(folder)
    with contextlib.chdir(folder):
        index.run(parameters.load(Path("params.yaml")))
    return folder


@pytest.fixture
def project(indexed, tmp_path):
    """A copy of that project, whose reconstructions are yet to be made."""
    return Path(shutil.copytree(indexed, tmp_path / "project"))


@pytest.fixture(scope="module")
def uninterrupted(indexed, tmp_path_factory):
    """What a run gives that nobody interrupts, and the seconds that it took until it wrote, and from then on."""
    folder = Path(shutil.copytree(indexed, tmp_path_factory.mktemp("uninterrupted") / "project"))
    with started(folder) as stage:
        before_s = waited(stage, lambda: has_begun(folder))
        work_s = waited(stage, lambda: False)
        assert stage.returncode == 0
    return result(folder), {"start": before_s, "work": work_s, "end": 0.05}


def write_params(folder, **changes):
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    values["reconstruct"] |= {"shards": N_SHARDS, **changes}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


@contextlib.contextmanager
def started(folder, command=DDA):
    """The stage as a process in a session of its own, whose output goes to a file."""
    with (folder / "log.txt").open("a") as log:
        stage = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            yield stage
        finally:
            stage.kill()
            stage.wait()


def waited(stage, happened):
    """Wait until something happened, or the process ended: the seconds that it took."""
    begun = time.monotonic()
    while stage.poll() is None and not happened():
        time.sleep(0.001)
    return time.monotonic() - begun


def has_begun(folder):
    return any((folder / SET).glob(".shard-*.part"))


def has_finished_shards(folder):
    return len(list((folder / SET).glob("shard-*.json"))) == N_SHARDS


def result(folder):
    """The bytes of all shards, and the manifest but for how long each photo took."""
    manifest = tables.records(tables.read(folder / SET / "manifest.parquet").drop(columns="seconds"))
    return {path.name: photos.sha256(path.read_bytes()) for path in (folder / SET).glob("*.tar")}, manifest


def temporary_files(folder):
    return list((folder / SET).glob(".*"))


def processes(session, folder):
    """Living processes of a session, or at work in a folder: their ids."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, its_session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if state not in "ZX" and (int(its_session) == session or (entry / "cwd").resolve() == folder):
                found.append(int(entry.name))
    return found


def all_gone(session, folder):
    """Wait until no process is left: whether that happened. One that imports torch notices when it has."""
    end = time.monotonic() + 60
    while processes(session, folder) and time.monotonic() < end:
        time.sleep(0.02)
    return not processes(session, folder)


def resume(folder):
    """Go on to the end: in this process, since starting a new one takes longer than the work."""
    with contextlib.chdir(folder):
        reconstruct.run(parameters.load(Path("params.yaml")), "tiny")


# --- killed


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(MOMENTS)))
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_bytes(project, uninterrupted, number):
    expected, seconds = uninterrupted
    moment = MOMENTS[number]
    end_s = random.Random(number).uniform(0, seconds[moment])
    with started(project) as stage:
        if moment != "start":
            waited(stage, lambda: has_begun(project) if moment == "work" else has_finished_shards(project))
        next_moment = has_begun if moment == "start" else has_finished_shards  # for a machine that is faster now
        end_s += time.monotonic()
        waited(stage, lambda: time.monotonic() > end_s or (moment != "end" and next_moment(project)))
        stage.kill()
        assert all_gone(stage.pid, project)
        assert stage.wait() == -signal.SIGKILL or moment == "end"
    resume(project)
    assert result(project) == expected
    assert not temporary_files(project)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_stopped_run_leaves_no_process_and_goes_on_to_the_same_bytes(project, uninterrupted, sent):
    with started(project) as stage:
        waited(stage, lambda: has_begun(project))
        os.killpg(stage.pid, sent) if sent == signal.SIGINT else stage.send_signal(sent)
        assert stage.wait(20) != 0
        assert all_gone(stage.pid, project)
    if sent == signal.SIGINT:
        assert not temporary_files(project)
        assert "Traceback" not in (project / "log.txt").read_text()
    with started(project) as stage:
        assert stage.wait(120) == 0
        assert all_gone(stage.pid, project)
    assert result(project) == uninterrupted[0]
    assert not temporary_files(project)


# --- a full disk


@pytest.fixture
def small_disk(project):
    """The project with its reconstructions on a small disk of their own, and a function that gives this a size."""
    place = project / SET.parent
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {mounted.stderr.decode().strip()}")
    yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)
    subprocess.run(["umount", "-l", place], check=True)


def failed(project):
    """What the stage says as it fails."""
    with contextlib.chdir(project):
        stage = subprocess.run(DDA, capture_output=True, text=True, timeout=600, check=False)
    assert stage.returncode == 2
    return stage.stderr.splitlines()


def fill(project, n_bytes_left):
    """Fill the small disk but for so many bytes."""
    place = project / SET
    free = shutil.disk_usage(place).free
    (place / "filler").write_bytes(bytes(free - -(-n_bytes_left // 4096) * 4096))


def full(name, lines):
    """Whether the last of these lines says that a file did not fit."""
    told = f"dda: cannot write {SET / name}: No space left on device, "
    return lines[-1].startswith(told) and lines[-1].endswith(": make room and run again, what is finished is kept")


@pytest.mark.slow
def test_a_full_disk_is_told_and_keeps_finished_shards_for_the_next_run(project, small_disk, uninterrupted):
    expected = uninterrupted[0]
    lines = failed(project)
    assert any(full(f"shard-{number:05d}.tar", lines) for number in range(N_SHARDS))
    assert not any("Traceback" in line for line in lines)
    assert not temporary_files(project)
    finished = {path.with_suffix(".tar") for path in (project / SET).glob("shard-*.json")}
    assert finished
    assert all(expected[0][path.name] == photos.sha256(path.read_bytes()) for path in finished)
    before = {path: path.stat().st_mtime_ns for path in finished}
    small_disk("20m")
    resume(project)
    assert result(project) == expected
    assert {path: path.stat().st_mtime_ns for path in finished} == before


def test_a_disk_that_is_full_for_the_small_files_is_told_alike(project, small_disk, uninterrupted):
    small_disk("20m")
    resume(project)
    shard, manifest = project / SET / "shard-00001.tar", project / SET / "manifest.parquet"
    manifest.unlink()
    fill(project, 0)
    assert full("manifest.parquet", failed(project))
    (project / SET / "filler").unlink()
    size = shard.stat().st_size
    for path in (shard, shard.with_suffix(".json")):
        path.unlink()
    fill(project, size)
    assert full("shard-00001.json", failed(project))
    assert not temporary_files(project)
    assert not manifest.exists()
    (project / SET / "filler").unlink()
    resume(project)
    assert result(project) == uninterrupted[0]


# --- a very large photo


@pytest.fixture
def large(tmp_path, tiles):
    """The folder of a project on one photo of 4 megapixels, large enough for tiles."""
    picture = Image.open(BytesIO(tiles["coffee-tile00.jpg"])).resize((2448, 1632), Image.Resampling.BICUBIC)
    folder = tmp_path / "large"
    (folder / "data/photos").mkdir(parents=True)
    (folder / "artifacts/index").mkdir(parents=True)
    picture.save(folder / "data/photos/large.jpg", quality=90)
    digest = photos.sha256((folder / "data/photos/large.jpg").read_bytes())
    facts = {"image_id": "large", "path": "large.jpg", "sha256": digest, "width": 2448, "height": 1632, "error": None}
    pd.DataFrame([facts]).to_parquet(folder / "artifacts/index/index.parquet")
    write_params(folder, cpus_per_worker=2)
    return folder


def resident_bytes(pid):
    """How much memory a process has now; 0 where it has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


@pytest.mark.slow
def test_a_photo_of_4_megapixels_is_reconstructed_within_3_gib(large):
    peak = 0
    with started(large) as stage:
        while stage.poll() is None:
            peak = max(peak, sum(resident_bytes(pid) for pid in processes(stage.pid, large)))
            time.sleep(0.05)
        assert stage.returncode == 0
    assert GIB / 2 < peak < 3 * GIB
    (row,) = tables.records(tables.read(large / SET / "manifest.parquet"))
    assert (row["width"], row["height"], row["error"]) == (2448, 1632, None)
    assert row["psnr"] > 35
