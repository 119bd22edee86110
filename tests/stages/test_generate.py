"""Images of prompts by a tiny pipeline: the same bytes from the same seed, whatever the shards, kills and machines."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from dda import params as parameters
from dda.core.errors import SetupError
from dda.core.jpeg import jpeg_facts
from dda.io import photos, tables
from dda.stages import generate
from tests import generators
from tests.conftest import write_project

PROMPTS = ["a red apple", "two dogs", "a bench and a clock"]
SETTINGS = {"images_per_prompt": 2, "shards": 4, "cpus_per_worker": 2}
RUN = (
    "import json; from pathlib import Path; from dda import params; from dda.stages import generate; "
    "generate.rebuild(params.load(Path('params.yaml')), 'tiny', json.loads(Path('row.json').read_text()))"
)
SET = Path("artifacts/generated/tiny")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The folder of a project whose three prompts are generated, and whose generator lies in it."""
    folder = tmp_path_factory.mktemp("template")
    write_project(folder, {}, generate=SETTINGS)
    (folder / "row.json").write_text(json.dumps({**generators.write(folder / "flux"), "path": "flux"}))
    (folder / "data").mkdir()
    (folder / "data/prompts.txt").write_text("\n".join(PROMPTS))
    with contextlib.chdir(folder):
        rebuild(parameters.load(Path("params.yaml")))
    return folder


@pytest.fixture
def made(template, tmp_path, monkeypatch):
    """A copy of that project of a test's own, its folder being the current one: the parameters."""
    shutil.copytree(template, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return parameters.load(Path("params.yaml"))


def rebuild(params):
    generate.rebuild(params, "tiny", json.loads(Path("row.json").read_text()))


def with_settings(params, **changes):
    section = {**params.generate.model_dump(), **changes}
    return parameters.Params.model_validate({**params.model_dump(), "generate": section})


def images():
    return {path.name: photos.sha256(path.read_bytes()) for path in SET.glob("*.jpg")}


def stamps():
    return {path.name: path.stat().st_mtime_ns for path in SET.glob("*.jpg")}


def rows():
    return tables.records(tables.read(SET / "manifest.parquet"))


# --- what comes out


def test_every_prompt_has_its_images_as_jpeg_96_and_a_row_each(made):
    found = rows()
    names = [f"{prompt:05d}_{image}" for prompt in range(3) for image in range(2)]
    assert [row["image_id"] for row in found] == names
    assert [row["prompt"] for row in found] == [prompt for prompt in PROMPTS for _ in range(2)]
    assert images() == {row["file"]: row["sha256"] for row in found}
    assert len({row["seed"] for row in found}) == len(set(images().values())) == 6
    for row in found:
        content = (SET / row["file"]).read_bytes()
        picture = Image.open(BytesIO(content))
        facts = jpeg_facts(picture)
        assert (picture.size, facts.quality, facts.subsampling, facts.progressive) == ((32, 32), 96, "4:2:0", False)
        assert (row["width"], row["height"], row["bytes"], row["error"]) == (32, 32, len(content), None)


def test_a_run_over_finished_images_touches_none_and_needs_no_worker(made, capsys):
    before = stamps()
    started = time.monotonic()
    rebuild(made)
    assert time.monotonic() - started < 2
    assert stamps() == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tiny: 3 prompts, 6 images = 6 generated + 0 failed"
    assert lines[1] == "tiny: 0 made now, 0.00 a second, and 6 kept from before"


def test_other_shards_and_another_order_of_work_give_the_same_bytes(made):
    before = images()
    shutil.rmtree(SET)
    rebuild(with_settings(made, shards=1, images_per_prompt=3, cpus_per_worker=2))
    after = images()
    assert len(after) == 9
    assert {name: after[name] for name in before} == before


def test_another_seed_gives_other_images_and_images_of_fewer_prompts_are_removed(made):
    before = images()
    Path("data/prompts.txt").write_text("\n".join(PROMPTS[:2]) + "\n")
    rebuild(with_settings(made, seed=1))
    after = images()
    assert sorted(after) == sorted(before)[:4]
    assert not set(after.values()) & set(before.values())


# --- what goes wrong


def test_an_image_that_fails_is_a_row_with_its_reason_and_costs_nothing_else(made, capsys):
    before = images()
    Path("data/prompts.txt").write_text("\n".join([*PROMPTS[:2], f"an {generators.OUTSIDE} thing"]))
    rebuild(with_settings(made, max_failed=0.4))
    failed = [row for row in rows() if row["error"]]
    assert [(row["image_id"], row["file"]) for row in failed] == [("00002_0", None), ("00002_1", None)]
    assert {row["error"] for row in failed} == {"index out of range in self"}
    assert images() == {name: digest for name, digest in before.items() if not name.startswith("00002")}
    assert "6 images = 4 generated + 2 failed" in capsys.readouterr().out
    with pytest.raises(SetupError, match=r"2 of 6 images failed, the first: 00002_0 \('an unknowable thing'\): index"):
        rebuild(made)


def test_a_damaged_image_makes_its_shard_anew(made):
    before = images()
    (SET / "00001_0.jpg").write_bytes(b"half")
    rebuild(made)
    assert images() == before


def test_a_missing_file_of_prompts_and_an_unknown_generator_are_sentences(made):
    with pytest.raises(SetupError, match=r"no generator 'flux2-dev' in the catalog. Did you mean 'flux1-dev'"):
        generate.run(made, "flux2-dev")
    Path("data/prompts.txt").unlink()
    with pytest.raises(SetupError, match=r"no prompts at data/prompts.txt: put them there.*GenEval's"):
        generate.run(made, "flux1-dev")


# --- killed


@contextlib.contextmanager
def started():
    """The stage as a process in a session of its own."""
    with Path("log.txt").open("a") as log:
        process = subprocess.Popen([sys.executable, "-c", RUN], stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def alive(session):
    """Processes of a session that still live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, its_session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            found += [entry.name] if state not in "ZX" and int(its_session) == session else []
    return found


@pytest.mark.slow
def test_a_killed_run_leaves_no_worker_and_goes_on_to_the_same_bytes(made):
    wanted = images()
    shutil.rmtree(SET)
    with started() as stage:
        end = time.monotonic() + 120
        while not list(SET.glob("shard-*.json")) and time.monotonic() < end and stage.poll() is None:
            time.sleep(0.002)
        stage.kill()
        stage.wait()
        while alive(stage.pid) and time.monotonic() < end:
            time.sleep(0.02)
        assert not alive(stage.pid)
    finished = [row["file"] for path in SET.glob("shard-*.json") for row in json.loads(path.read_text())["rows"]]
    assert finished
    before = stamps()
    (SET / ".00009_0.jpg.abc.part").write_bytes(b"half an image")
    rebuild(made)
    assert images() == wanted
    assert all(stamps()[name] == before[name] for name in finished)
    assert not list(SET.glob(".*"))
