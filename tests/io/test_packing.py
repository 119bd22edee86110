"""A packed detector answers as the detector itself, by code of its own, where there is nothing else of dda."""

import ast
import base64
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from dda.io import packing
from dda.io.detecting import Detector
from tests.guards.conftest import dotted, imports_of
from tests.guards.test_dependencies import needed

ROOT = Path(__file__).parents[2]
IDENTITY = packing.Identity("m-" + "0" * 32, "1" * 32)
ASK = """
import base64, json, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dda", "peft", "cv2", "diffusers"}:
            raise ModuleNotFoundError(f"there is no {name} here", name=name)

sys.meta_path.insert(0, Nothing())
import mlflow.pyfunc
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
images = [base64.b64decode(one) for one in json.load(open(sys.argv[2]))]
table = model.predict(pd.DataFrame({"image": images}))
print(json.dumps({"verdict": list(table["verdict"]), "logit": list(table["logit"])}))
print(sorted(name for name in sys.modules if name.startswith("dda"))[0])
"""


@pytest.fixture(scope="module")
def detector(finished):
    return finished / "artifacts/detectors/embedded"


@pytest.fixture(scope="module")
def images(tiles):
    """A photo in each of several formats, and files that are none."""
    first, *others = [content for _, content in sorted(tiles.items())]
    found = [first, *others[:2]]
    for kind in ("PNG", "WEBP", "TIFF", "BMP", "GIF"):
        Image.open(BytesIO(first)).save(buffer := BytesIO(), kind)
        found.append(buffer.getvalue())
    return [*found, b"", b"no image", first[: len(first) // 2]]


@pytest.fixture(scope="module")
def packed(detector, tiles, tmp_path_factory):
    """The model of the finished project's detector."""
    folder = tmp_path_factory.mktemp("packed") / "model"
    example = [content for _, content in sorted(tiles.items())][:2]
    packing.write(folder, detector, example, {"licence": "Apache-2.0"}, IDENTITY)
    return folder


@pytest.fixture(scope="module")
def loaded(packed):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(packed), model_config={"device": "cpu"})


@pytest.fixture(scope="module")
def answered(loaded, images):
    return loaded.predict(pd.DataFrame({"image": images}))


def logits(answered):
    return [one for one in answered["logit"] if one is not None]


def test_it_answers_as_the_detector_itself_in_the_same_words(answered, detector, images):
    wanted = Detector.load(detector, "cpu").predict(images)
    assert list(answered["verdict"]) == [one.verdict for one in wanted]
    for name in ("logit", "probability"):
        known = [getattr(one, name) for one in wanted if one.logit is not None]
        assert [one for one in answered[name] if one is not None] == pytest.approx(known, abs=1e-4)


def test_a_bad_image_is_a_row_with_its_reason_and_no_other_row_suffers(answered, images):
    bad = answered["verdict"] == "unreadable"
    assert list(bad) == [False] * (len(images) - 3) + [True] * 3
    assert list(answered["error"][bad])[:2] == ["empty file", "no image in a known format"]
    assert list(answered["error"][~bad]) == [None] * (len(images) - 3)
    assert [one is None for one in answered["logit"]] == list(bad)
    assert set(answered["threshold"]) == {0.0}


def test_rows_keep_their_names(loaded, images):
    table = loaded.predict(pd.DataFrame({"image": images[:2]}, index=["b", "a"]))
    assert list(table.index) == ["b", "a"]


def test_a_table_without_the_column_is_refused_by_the_signature(loaded):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="image"):
        loaded.predict(pd.DataFrame({"picture": [b""]}))


def test_it_answers_where_there_is_no_dda_and_nothing_that_only_training_needs(packed, images, answered, tmp_path):
    (tmp_path / "images.json").write_text(json.dumps([base64.b64encode(one).decode() for one in images]))
    command = [sys.executable, "-c", ASK, str(packed), str(tmp_path / "images.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said, package = done.stdout.splitlines()
    found = json.loads(said)
    assert found["verdict"] == list(answered["verdict"])
    assert [one for one in found["logit"] if one is not None] == pytest.approx(logits(answered), abs=1e-4)
    assert package == f"dda_{packing.code_digest()[:12]}"


def test_it_serves_json_over_http(loaded, images, answered):
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import scoring_server

    sent = [[base64.b64encode(one).decode()] for one in images]
    asked = {"dataframe_split": {"columns": ["image"], "data": sent}}
    reply = TestClient(scoring_server.init(loaded)).post("/invocations", json=asked)
    assert reply.status_code == 200, reply.text
    assert "NaN" not in reply.text
    said = reply.json()["predictions"]
    assert [row["verdict"] for row in said] == list(answered["verdict"])
    assert (said[-1]["logit"], said[0]["error"]) == (None, None)


def test_it_carries_exactly_the_code_that_it_needs():
    files = sorted((ROOT / "src/dda").rglob("*.py"))
    sources = {dotted(path, ROOT / "src"): path.read_text("utf-8") for path in files}
    del sources["dda.io.fetched_detectors"]  # a version names the folder that lies in it
    wanted = needed(f"dda.{packing.SERVED[:-3].replace('/', '.')}", sources, imports_of)
    carried = [f"src/dda/{name}" for name in (packing.SERVED, *packing.CODE) if not name.endswith("__init__.py")]
    assert sorted(carried) == wanted


def test_nothing_in_it_imports_dda_by_its_own_name_or_is_a_pickle(packed):
    for path in packed.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert "dda" not in {name.partition(".")[0] for name in names}, path
    assert [path for path in packed.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth")] == []


def test_it_names_no_place_of_this_machine(packed, detector):
    assert str(ROOT) not in (packed / "MLmodel").read_text()
    assert str(detector) not in (packed / "MLmodel").read_text()


def test_its_requirements_are_exact_and_few(packed):
    lines = (packed / "requirements.txt").read_text().split()
    assert sorted(line.partition("==")[0] for line in lines) == sorted(packing.REQUIREMENTS)
    assert [line for line in lines if "+" in line or not line.partition("==")[2]] == []


def test_the_detector_in_it_is_the_detector_byte_for_byte(packed, detector):
    for path in detector.rglob("*"):
        if path.is_file():
            assert (packed / "artifacts/detector" / path.relative_to(detector)).read_bytes() == path.read_bytes()
