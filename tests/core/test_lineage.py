"""From an output up to the photos, by a dvc.lock."""

from pathlib import Path

import pytest
import yaml

from dda.core import lineage

ROOT = Path(__file__).parents[2]
LOCK = yaml.safe_load((ROOT / "dvc.lock").read_text("utf-8"))
DETECTOR = "artifacts/detectors/embedded"


def test_all_stages_above_a_detector_are_found_each_after_those_that_read_it():
    names = [stage.name for stage in lineage.trace(LOCK, DETECTOR)]
    assert names[0] == "train@embedded"
    assert sorted(names) == ["align@tiny", "audit@tiny", "index", "reconstruct@tiny", "train@embedded"]
    assert names.index("audit@tiny") < names.index("align@tiny") < names.index("reconstruct@tiny") < len(names) - 1
    assert names[-1] == "index"


def test_what_a_stage_read_names_who_made_it_and_the_photos_nobody():
    train, *_, index = lineage.trace(LOCK, DETECTOR)
    read = {item.path: item.made_by for item in train.data}
    assert read == {"artifacts/aligned": ("align@tiny",), "reports/audit": ("audit@tiny",)}
    photos = lineage.reads_of([index], "data/photos")
    assert (photos.made_by, photos.files, photos.md5[-4:]) == ((), 105, ".dir")
    assert lineage.reads_of([index], "data/none") is None


def test_code_is_told_apart_from_data():
    train = lineage.trace(LOCK, DETECTOR)[0]
    assert all(path.startswith("src/") and len(md5) == 32 for path, md5 in train.code.items())
    assert "src/dda/stages/train.py" in train.code
    assert not [item.path for item in train.data if item.path.startswith("src/")]


def test_parameters_of_a_verb_are_found_with_the_rows_that_it_used():
    stages = lineage.trace(LOCK, DETECTOR)
    assert lineage.settings(stages, "align")["align"]["train"]["steps"][0]["step"] == "mix_frequencies"
    assert lineage.settings(stages, "reconstruct", "src/dda/catalog/vaes.yaml")["tiny"]["class"] == "AutoencoderTiny"
    assert lineage.settings(stages, "generate") == {}


@pytest.mark.parametrize("path", ["artifacts/detectors/imported", "artifacts/detectors", "data/photos"])
def test_what_no_stage_made_has_no_lineage(path):
    assert lineage.maker(LOCK, path) is None
    assert lineage.trace(LOCK, path) == []
    assert lineage.trace({}, path) == []


def test_a_stage_that_several_read_stands_above_all_of_them_once():
    def stage(deps, outs):
        return {"cmd": "x", "deps": [{"path": path} for path in deps], "outs": [{"path": path} for path in outs]}

    lock = {
        "stages": {
            "a": stage(["data"], ["a"]),
            "b": stage(["a"], ["b"]),
            "c": stage(["a", "b"], ["c"]),
            "other": stage(["c"], ["aa"]),
        }
    }
    assert [one.name for one in lineage.trace(lock, "c")] == ["c", "b", "a"]


def test_a_circle_in_a_damaged_lock_ends():
    lock = {"stages": {name: {"deps": [{"path": read}], "outs": [{"path": name}]} for name, read in ("ab", "ba")}}
    assert sorted(one.name for one in lineage.trace(lock, "a")) == ["a", "b"]
