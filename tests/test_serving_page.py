"""What docs/serving.md tells people to run works, but for what needs a server: tests/io/test_serving.py has that."""

import pytest
from PIL import Image

from tests import pages, small_detector


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project's folder with a small detector in the place of the demo's, and a photo."""
    place = tmp_path_factory.mktemp("page")
    small_detector.write(place / "artifacts/detectors/embedded", ["onnx"])
    Image.fromarray(small_detector.PHOTOS[2]).save(place / "photo.jpg")
    return place


def block(word):
    (found,) = [one for one in pages.blocks("serving.md") if one[1] == word]
    return found


def test_a_detector_is_exported(folder):
    assert "exported/model.onnx: logits" in pages.run(block("export"), folder)
    names = ["README.md", "detector.json", "model.onnx", "model.pt2"]
    assert sorted(path.name for path in (folder / "exported").iterdir()) == names


def test_a_generator_climbs(folder):
    said = pages.run(block("reward"), folder, DDA_DEVICE="cpu").splitlines()
    first, *_, last = [float(line.rpartition(" ")[2]) for line in said if line.startswith("step")]
    assert last > first


def test_a_pipe_is_scored_and_filtered(folder):
    *rows, passed = pages.run(block("score"), folder).splitlines()
    assert len(rows) == 2
    assert passed == "photo.jpg"
