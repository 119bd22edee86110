"""The list of benchmarks and the check of one: states, differences, checksums, exit status."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from dda import catalog, cli
from dda.app import benchmarks as verb
from dda.app import check_benchmark
from dda.core.errors import SetupError
from tests.benchmarks import TREES, write_files

ROWS = catalog.table("benchmarks")
PARAMS = str(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of benchmarks below an empty current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/benchmarks"


def put(here, name):
    (here / name).mkdir(parents=True)
    return TREES[name](here / name)


def full(here):
    """All of SynthWildX, by its counts."""
    write_files(here / "synthwildx", *(f"real/{number}.jpg" for number in range(500)))
    for generator in ("dalle3", "midjourney_v5", "firefly"):
        write_files(here / "synthwildx", *(f"{generator}/{number}.jpg" for number in range(500)))


def dda(*words):
    return CliRunner().invoke(cli.app, ["benchmarks", *words, "--params", PARAMS])


def checked(name):
    done = dda("check", name)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("expected", "numbers", "words"),
    [
        ({"real": 0, "fake": 5000}, (4971, 4971), "partial: 4,971 of 5,000"),
        ({"real": 2, "fake": 3}, (5, 3), "complete"),
        ({"real": 2, "fake": 3}, (6, 3), "more: 6 of 5"),
        ({"images": 5, "real": None, "fake": None}, (4, 1), "partial: 4 of 5"),
        ({"real": None, "fake": 8000}, (8100, 7100), "partial: 7,100 of 8,000 fakes"),
        ({"real": None, "fake": None}, (123, 5), "present, 123 images"),
        ({"real": None, "fake": None}, (1, 1), "present, 1 image"),
    ],
)
def test_a_state_says_how_much_is_here(expected, numbers, words):
    assert verb.compared(expected, *numbers) == words


def test_the_list_says_of_every_benchmark_how_much_is_here(here):
    put(here, "chameleon")
    put(here, "wildrf")
    full(here)
    states = {name: row["state"] for name, row in json.loads(dda("--json").stdout).items()}
    assert list(states) == list(ROWS)
    assert states["chameleon"] == "partial: 3 of 26,033"
    assert states["wildrf"] == "present, 6 images"
    assert states["synthwildx"] == "complete"
    assert set(states.values()) - {states["chameleon"], states["wildrf"], "complete"} == {"absent"}


def test_files_of_a_list_that_are_not_there_are_not_counted(here):
    put(here, "bfree-online")
    (here / "bfree-online/REAL/s01/img00000.jpg").unlink()
    assert verb.state(ROWS["bfree-online"], here / "bfree-online") == "partial: 2 of 1,111"


def test_a_folder_that_is_not_what_its_row_says_is_told_in_the_list(here):
    write_files(here / "genimage", "somewhere/a.png")
    assert verb.state(ROWS["genimage"], here / "genimage").startswith("wrong: ")
    assert dda().exit_code == 0


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_cut_off_in_the_list(width):
    console = Console(width=width, record=True, file=io.StringIO())
    state = "partial: 102,000 of 172,800"
    console.print(verb.overview({name: {**row, "state": state} for name, row in ROWS.items()}))
    lines = console.export_text().splitlines()
    assert [name for name in ROWS if not any(line.startswith(f"{name} ") for line in lines)] == []
    if width == 100:
        assert len(lines) == len(ROWS) + 1
        assert all(line.rstrip().endswith(state) for line in lines[1:])


def test_a_whole_benchmark_passes_its_check_with_a_digest(here):
    full(here)
    status, output = checked("synthwildx")
    assert status == 0
    assert "2,000 images = 500 real + 1,500 fake" in output
    assert "  Firefly: 0 real, 500 fake" in output
    assert "known: links die" in output
    assert output.endswith("nothing is wrong\n")


def test_the_digest_is_that_of_the_bytes(here):
    put(here, "wildrf")
    first = [line for line in checked("wildrf")[1].splitlines() if line.startswith("digest: ")]
    again = [line for line in checked("wildrf")[1].splitlines() if line.startswith("digest: ")]
    (here / "wildrf/WildRF/test/reddit/0_real/a.jpg").write_bytes(b"other")
    other = [line for line in checked("wildrf")[1].splitlines() if line.startswith("digest: ")]
    assert first == again != other


def test_a_missing_image_and_a_missing_generator_fail_the_check(here):
    full(here)
    (here / "synthwildx/real/7.jpg").unlink()
    shutil.rmtree(here / "synthwildx/firefly")
    status, output = checked("synthwildx")
    assert status == 1
    assert "wrong: real: 499 of 500" in output
    assert "wrong: fakes of Firefly: 0 of 500" in output


def test_the_md5_list_of_a_benchmark_is_held_against_its_files(here):
    put(here, "synthbuster")
    assert "verified by the benchmark's own checksums: 3 images" in checked("synthbuster")[1]
    (here / "synthbuster/synthbuster/firefly/r05839451t.png").write_bytes(b"other")
    (here / "synthbuster/synthbuster/dalle2/r05839451t.png").unlink()
    status, output = checked("synthbuster")
    assert status == 1
    assert "wrong: synthbuster/firefly/r05839451t.png: its md5 is" in output
    assert "wrong: 1 files of the md5 list are not there: dalle2/r05839451t.png" in output


def test_a_wrong_checksum_of_a_csv_and_a_file_that_is_not_there_fail_the_check(here):
    put(here, "bfree-online")
    (here / "bfree-online/REAL/s01/img00000.jpg").write_bytes(b"other")
    (here / "bfree-online/REAL/s01/img00001.jpg").unlink()
    status, output = checked("bfree-online")
    assert status == 1
    assert "wrong: REAL/s01/img00000.jpg: its md5 is" in output
    assert "wrong: REAL/s01/img00001.jpg: not found" in output
    assert "wrong: real: 1 of 361" in output


def test_an_empty_file_fails_the_check(here):
    put(here, "wildrf")
    (here / "wildrf/WildRF/test/reddit/0_real/a.jpg").write_bytes(b"")
    status, output = checked("wildrf")
    assert status == 1
    assert "wrong: WildRF/test/reddit/0_real/a.jpg: empty file" in output


def test_benchmarks_that_share_images_are_named(here):
    put(here, "aigcdetectbenchmark")
    assert "holds images of: forensynths, genimage" in checked("aigcdetectbenchmark")[1]


def test_an_md5_list_that_is_none_is_an_error(here):
    put(here, "synthbuster")
    (here / "synthbuster/synthbuster_checksums.md5").write_text("<html>\n")
    with pytest.raises(SetupError, match=r"line 1 of .* is '<html>'; expected an md5 and a path"):
        check_benchmark.run(here, "synthbuster")


def test_a_check_of_what_is_not_here_says_how_to_get_it(here):
    with pytest.raises(SetupError, match=r"no benchmark folder at .*/chameleon. Unpack it .* It is from: on request"):
        check_benchmark.run(here, "chameleon")
    with pytest.raises(SetupError, match=r"no benchmark 'chamelion' in the catalog. Did you mean 'chameleon'"):
        check_benchmark.run(here, "chamelion")
