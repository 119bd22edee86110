"""Facts of any files: a line or an object each, with the reason where a file cannot be read."""

import json
import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from dda.app import jpeg_info as verb
from dda.core.errors import SetupError

COMMAND = Path(sys.executable).with_name("dda")
TILE = "coffee-tile00.jpg"


@pytest.fixture
def photo(tiles):
    """One of the tiles as RGB pixels; its own grid begins in the corner."""
    return Image.open(BytesIO(tiles[TILE])).convert("RGB")


@pytest.fixture
def told(capsys):
    """told(*paths): the JSON document about them, by the files' names."""

    def run(*paths):
        verb.run(paths, tables=False, as_json=True)
        return {Path(row["path"]).name: row for row in json.loads(capsys.readouterr().out)}

    return run


@pytest.fixture
def mixed(photo, tiles, tmp_path):
    """A folder of every kind of file."""
    folder = tmp_path / "mixed"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/photo.jpg").write_bytes(tiles[TILE])
    photo.convert("L").save(folder / "grey.jpg", quality=80)
    photo.save(folder / "progressive.jpg", quality=70, progressive=True, subsampling="4:2:2")
    photo.save(folder / "web.jpg", quality="web_high")
    photo.convert("CMYK").save(folder / "inks.jpg", quality=85)
    photo.crop((3, 6, *photo.size)).save(folder / "cut.png")
    photo.resize((150, 150)).save(folder / "new.png")
    (folder / "empty.jpg").touch()
    (folder / "damaged.jpg").write_bytes(tiles[TILE][:2000])
    (folder / "words.txt").write_text("no image")
    (folder / "lost.jpg").symlink_to("nowhere")
    return folder


def test_a_photo_has_every_fact(told, mixed):
    row = told(mixed)["photo.jpg"]
    assert (row["format"], row["mode"], row["error"]) == ("JPEG", "RGB", None)
    assert (row["quality_exact"], row["subsampling"], row["progressive"]) == (True, "4:2:0", False)
    assert [len(table) for table in row["tables"]] == [64, 64]
    assert len(row["tables_digest"]) == 16
    assert (row["grid"]["x"], row["grid"]["y"]) == (0, 0)
    assert row["grid"]["strength"] > 3


def test_every_kind_of_jpeg_is_told(told, mixed):
    rows = told(mixed)
    names = ("quality", "quality_exact", "subsampling", "progressive", "mode")
    kinds = {name: tuple(rows[f"{name}.jpg"][key] for key in names) for name in ("grey", "progressive", "web", "inks")}
    assert kinds["grey"] == (80, True, "4:0:0", False, "L")
    assert kinds["progressive"] == (70, True, "4:2:2", True, "RGB")
    assert kinds["web"][1] is False
    assert kinds["inks"] == (85, True, "1x1,1x1,1x1,1x1", False, "CMYK")


def test_a_file_that_is_no_jpeg_has_its_format_and_the_grid_of_what_it_was(told, mixed):
    rows = told(mixed)
    assert (rows["cut.png"]["format"], rows["cut.png"]["quality"], rows["cut.png"]["tables"]) == ("PNG", None, None)
    assert (rows["cut.png"]["grid"]["x"], rows["cut.png"]["grid"]["y"]) == (5, 2)
    assert (rows["new.png"]["width"], rows["new.png"]["height"], rows["new.png"]["grid"]) == (150, 150, None)


def test_what_cannot_be_read_has_its_reason(told, mixed):
    rows = told(mixed)
    reasons = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert reasons.pop("damaged.jpg").startswith("damaged: ")
    assert reasons == {
        "empty.jpg": "empty file",
        "words.txt": "no image in a known format",
        "lost.jpg": "cannot be read: link that leads nowhere",
    }
    assert len(rows) == 11
    assert len({tuple(row) for row in rows.values()}) == 1


def test_the_pixels_of_a_bomb_are_not_read(told, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(verb, "MAX_PIXELS", 1000)
    photo.save(tmp_path / "bomb.png")
    assert told(tmp_path)["bomb.png"]["error"].startswith("more than 1000 pixels")


def test_the_orientation_that_exif_asks_for_is_left_alone(told, photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.crop((0, 0, 160, 80)).save(tmp_path / "turned.jpg", exif=exif)
    row = told(tmp_path)["turned.jpg"]
    assert (row["width"], row["height"]) == (160, 80)


def test_a_file_that_is_named_twice_is_told_once(mixed):
    assert len(verb.files_of([mixed / "web.jpg", mixed, mixed / "web.jpg"])) == 11


def test_a_path_that_is_not_there_and_a_folder_without_files_are_a_wrong_setup(tmp_path):
    with pytest.raises(SetupError, match=r"gone\.jpg is not there"):
        verb.run([tmp_path / "gone.jpg"], tables=False, as_json=True)
    with pytest.raises(SetupError, match="no files in"):
        verb.run([tmp_path], tables=False, as_json=True)


def test_a_piped_list_has_one_line_for_each_file(mixed, capsys):
    assert verb.run([mixed], tables=False, as_json=False) == 4
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["path", "format", "size"]
    by_name = {Path(line.split()[0]).name: line for line in lines}
    assert len(lines) == len(by_name) == 11
    assert "70 exact 4:2:2" in " ".join(by_name["progressive.jpg"].split())
    assert " nearest " in by_name["web.jpg"]
    assert "5,2 (" in by_name["cut.png"]
    assert by_name["cut.png"].rstrip().endswith("was a JPEG before")
    assert by_name["empty.jpg"].split()[1:] == ["-"] * 8 + ["empty", "file"]


def test_a_compression_before_the_file_was_cut_is_noted(photo, tmp_path, capsys, told):
    photo.resize((200, 200)).save(tmp_path / "first.jpg", quality=70)
    Image.open(tmp_path / "first.jpg").crop((3, 6, 200, 200)).save(tmp_path / "second.jpg", quality=97)
    rows = told(tmp_path)
    assert rows["first.jpg"]["earlier_grid"] is None
    assert (rows["second.jpg"]["earlier_grid"]["x"], rows["second.jpg"]["earlier_grid"]["y"]) == (5, 2)
    verb.run([tmp_path / "second.jpg"], tables=False, as_json=False)
    assert "was another JPEG before, grid 5,2 (" in capsys.readouterr().out


def test_tables_are_printed_as_matrices_each_set_once(mixed, capsys):
    verb.run([mixed / "grey.jpg", mixed / "inks.jpg", mixed / "cut.png"], tables=True, as_json=False)
    _, *sets = capsys.readouterr().out.split("\ntables ")
    assert [one.splitlines()[0].split(", ")[1] for one in sets] == ["files: 1", "files: 1"]
    rows = [[int(word) for word in line.split()] for line in sets[0].splitlines()[1:]]
    assert [len(row) for row in rows] == [8] * 8
    assert rows[0] == [6, 4, 4, 6, 10, 16, 20, 24]


@pytest.mark.parametrize("name", ["[red]brackets[/red].jpg", "two\nlines.jpg", "\x1b[31mred.jpg", "caf\udce9.jpg"])
def test_a_name_can_neither_mark_up_nor_steer_the_terminal(name, tiles, tmp_path, capsys, told):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(tiles[TILE])
    verb.run([tmp_path], tables=False, as_json=False)
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert verb.printable(name) in out
    assert "\x1b" not in out
    assert list(told(tmp_path)) == [path.name]


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_on_a_terminal(mixed, width):
    lines = [verb.cells(report) for report in verb.examined([mixed / "deep/er/photo.jpg", mixed / "cut.png"])]
    console = Console(width=width, record=True, file=StringIO())
    console.print(verb.overview(lines))
    wanted = "".join(word for line in [verb.COLUMNS, *lines] for word in line)
    assert sorted("".join(console.export_text().split())) == sorted("".join(wanted.split()))


def test_the_command_prints_one_document_and_tells_unreadable_files_by_its_status(mixed):
    done = subprocess.run([COMMAND, "jpeg-info", mixed, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert len(json.loads(done.stdout)) == 11
    good = subprocess.run([COMMAND, "jpeg-info", mixed / "web.jpg"], capture_output=True, text=True, check=True)
    assert "nearest" in good.stdout


def test_the_command_refuses_a_path_that_is_not_there(tmp_path):
    done = subprocess.run([COMMAND, "jpeg-info", tmp_path / "no\nwhere"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dda: ")
    assert len(done.stderr.splitlines()) == 1
