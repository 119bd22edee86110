"""Detectors of others are asked as ours are: right logits, a bad image costs one row, nothing is unpickled."""

import json
import textwrap
from functools import cache

import numpy as np
import pytest

from dda.core.errors import SetupError
from dda.core.windows import windows_of
from dda.io import foreign, judges, photos
from tests.judging import SEEN, ask, labelled, placed, some

CODE = """
import numpy as np

def brightness(images):
    assert all(image.dtype == np.uint8 and image.ndim == 3 for image in images)
    return [float(image.mean()) for image in images]

def share(images):
    return np.array([[image.mean() / 255] for image in images])

def fails_on_bright(images):
    if any(image.mean() > 250 for image in images):
        raise ValueError("too bright\\nfor me")
    return brightness(images)

def fails(images):
    raise RuntimeError("no GPU")

def nothing(images):
    return [float("nan") if image.mean() > 250 else float("inf") if image.mean() < 5 else 1.0 for image in images]

def too_few(images):
    return [1.0]

def changes_them(images):
    for image in images:
        image[:] = 0
    return [0.0] * len(images)

not_callable = 3
"""
names = iter(f"judged_module_{number}" for number in range(1000))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module of others that can be imported."""
    (tmp_path / "code").mkdir()
    name = next(names)
    (tmp_path / f"code/{name}.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    return name


@pytest.fixture
def function(module, tmp_path):
    """function(name, **row): the folder of a detector that calls a function of that module."""
    return lambda name, **row: placed(
        tmp_path / "mine", **{"kind": "callable", "callable": f"{module}:{name}", "output": "logit", **row}
    )


def with_white(folder):
    """Six images, and a white one in their midst."""
    images = some(folder)
    from PIL import Image

    white = labelled(folder, "3w.png", 1)
    Image.new("RGB", (40, 40), "white").save(white.path)
    return [*images[:3], white, *images[3:]]


def mean_of(image):
    return float(photos.decode_any(image.read(), 10**7).mean())


# --- callables


def test_a_function_gives_the_logits_of_whole_images(function, tmp_path):
    images = some(tmp_path / "set")
    table, counts = ask(function("brightness"), images, tmp_path, "native", "resize-0.5", views="five")
    native = table[table["protocol"] == "native"]
    assert native["logit"].to_list() == pytest.approx([mean_of(image) for image in images])
    assert (counts.judged, counts.failed) == (12, 0)


def test_a_function_with_a_size_sees_windows(function, tmp_path):
    (image,) = some(tmp_path / "set", 1)
    table, _ = ask(function("brightness", input_px=16), [image], tmp_path, views="five")
    pixels = photos.decode_any(image.read(), 10**7)
    assert table["logit"][0] == pytest.approx(np.mean(windows_of(pixels, 16, "five")))
    assert table["logit"][0] != pytest.approx(pixels.mean(), abs=1e-3)


def test_probabilities_become_logits(function, tmp_path):
    images = with_white(tmp_path / "set")
    table, _ = ask(function("share", output="probability"), images, tmp_path)
    shares = np.array([mean_of(image) / 255 for image in images])
    kept = np.clip(shares, 1e-7, 1 - 1e-7)
    assert table["logit"].to_list() == pytest.approx(np.log(kept / (1 - kept)))
    assert table["logit"].max() == pytest.approx(16.118, abs=1e-3)


def test_what_is_no_probability_is_a_row_with_its_reason(tmp_path):
    assert foreign.answers(lambda _: [0.5, 1.5], [np.zeros((2, 2, 3), np.uint8)] * 2, "probability") == [
        0.0,
        "the detector failed: 1.5 is no probability",
    ]


def test_an_image_on_which_a_function_fails_costs_no_other(function, tmp_path):
    images = with_white(tmp_path / "set")
    table, counts = ask(function("fails_on_bright"), images, tmp_path)
    bad = table[table["error"].notna()]
    assert bad["image_id"].to_list() == ["3w.png"]
    assert bad["error"].to_list() == ["the detector failed: ValueError: too bright"]
    good = table[table["error"].isna()]["logit"].to_list()
    assert good == pytest.approx([mean_of(image) for image in images if image.image_id != "3w.png"])
    assert (counts.judged, counts.failed) == (6, 1)


def test_a_failed_image_is_asked_again_and_does_not_stop_a_later_run(function, tmp_path):
    folder, images = function("fails_on_bright"), with_white(tmp_path / "set")
    first, _ = ask(folder, images, tmp_path)
    again, counts = ask(folder, images, tmp_path)
    assert again.equals(first)
    assert counts.known == 6


def test_a_score_that_is_no_finite_number_is_a_row_with_its_reason(function, tmp_path):
    table, counts = ask(function("nothing"), with_white(tmp_path / "set"), tmp_path)
    assert table[table["error"].notna()]["error"].to_list() == ["the detector failed: its score is nan"]
    assert counts.failed == 1


@pytest.mark.parametrize("n", [1, 3, 30])
def test_a_function_that_fails_on_every_image_stops_the_evaluation(function, tmp_path, n):
    folder = function("fails")
    with pytest.raises(SetupError, match=r"RuntimeError: no GPU - it gave no logit for any of the first \d+"):
        ask(folder, some(tmp_path / "set", n), tmp_path)
    assert not (tmp_path / "table.parquet").exists()


def test_another_number_of_scores_than_images_stops_it_at_once(function, tmp_path):
    with pytest.raises(SetupError, match=r"scores of shape \(1,\) for 4 images"):
        ask(function("too_few"), some(tmp_path / "set"), tmp_path)


def test_a_function_may_change_the_images_that_it_gets(function, tmp_path):
    assert ask(function("changes_them"), some(tmp_path / "set"), tmp_path)[1].judged == 6


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("os.path", "it must be package.module:name"),
        ("nowhere_at_all:f", "install it, or name its folder in PYTHONPATH"),
        ("json:nothing", "there is no 'nothing' in json"),
        ("sys:maxsize", "it must be a function"),
    ],
)
def test_a_name_that_is_no_function_is_a_sentence(tmp_path, name, told):
    with pytest.raises(SetupError, match=told):
        placed(tmp_path / "mine", kind="callable", callable=name, output="logit")
    assert not (tmp_path / "mine").exists()


def test_a_function_whose_source_has_changed_is_to_be_put_in_place_again(function, module, tmp_path):
    folder = function("brightness")
    first = judges.load(folder, "float32").digest
    (tmp_path / f"code/{module}.py").write_text(CODE + "# changed\n")
    with pytest.raises(SetupError, match=r"has changed since .*run `dda train mine` again"):
        judges.load(folder, "float32")
    assert judges.load(function("brightness"), "float32").digest != first
    assert judges.load(function("brightness", version=2), "float32").digest != first


# --- ONNX


@pytest.fixture(scope="module")
def network():
    import torch

    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(3, 4, 5, 4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 49, 2))
    return torch.nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """exported(head, n): a file that gives the first n outputs of the network, and that as a function."""
    import torch

    class Head(torch.nn.Module):
        def __init__(self, n, is_probability):
            super().__init__()
            self.body, self.n, self.is_probability = network, n, is_probability

        def forward(self, images):
            found = self.body(images)[:, : self.n]
            return found.sigmoid() if self.is_probability else found

    @cache
    def content(n, is_probability, batch):
        path = tmp_path_factory.mktemp("onnx") / "theirs.onnx"
        free = {"dynamo": True, "external_data": False, "verbose": False}
        free |= {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if batch is None else {}
        torch.onnx.export(Head(n, is_probability), (torch.zeros(batch or 2, 3, 32, 32),), str(path), **free)
        return path.read_bytes()

    def export(n, is_probability=False, batch=None):
        path = tmp_path_factory.mktemp("onnx") / "theirs.onnx"
        path.write_bytes(content(n, is_probability, batch))
        return path

    return export


def onnx_folder(tmp_path, file, output, **row):
    return placed(tmp_path / "mine", kind="onnx", file=str(file), output=output, preprocessing=SEEN, **row)


def network_logits(network, images):
    import torch

    from dda.core.windows import centre_window, normalise

    windows = [centre_window(photos.decode_any(image.read(), 10**7), 32) for image in images]
    with torch.inference_mode():
        return network(normalise(torch.from_numpy(np.stack(windows)), SEEN["mean"], SEEN["std"])).numpy()


@pytest.mark.parametrize(
    ("output", "made"),
    [("logit", (1,)), ("logit", (1, False, 1)), ("probability", (1, True)), ("two-logits", (2,))],
    ids=["logit", "one by one", "probability", "two logits"],
)
def test_an_onnx_file_gives_the_logits_of_its_network(network, exported, tmp_path, output, made):
    images = some(tmp_path / "set")
    table, _ = ask(onnx_folder(tmp_path, exported(*made), output), images, tmp_path)
    found = network_logits(network, images)
    wanted = found[:, 1] - found[:, 0] if output == "two-logits" else found[:, 0]
    assert table["logit"].to_list() == pytest.approx(wanted.tolist(), abs=1e-4)


def test_the_folder_keeps_the_file_that_was_given(exported, tmp_path):
    source = exported(1)
    folder = onnx_folder(tmp_path, source, "logit")
    described = json.loads((folder / "detector.json").read_text())
    assert described["files"] == {"model.onnx": photos.sha256(source.read_bytes())}
    assert (folder / "card.md").read_text().startswith("# Detector mine\n")
    source.unlink()
    judges.load(folder, "float32")
    (folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(SetupError, match="is not the file that was put there"):
        judges.load(folder, "float32")


def test_a_wrong_onnx_row_is_a_sentence_and_leaves_what_was_there(exported, tmp_path):
    folder, file = onnx_folder(tmp_path, exported(1), "logit"), exported(1)
    (tmp_path / "no.onnx").write_bytes(b"no model at all")
    with pytest.raises(SetupError, match=r"no.onnx"):
        onnx_folder(tmp_path, tmp_path / "no.onnx", "logit")
    with pytest.raises(SetupError, match=r"no file .*gone.onnx"):
        onnx_folder(tmp_path, tmp_path / "gone.onnx", "logit")
    with pytest.raises(SetupError, match=r"and the row says 0000"):
        onnx_folder(tmp_path, file, "logit", sha256="0" * 64)
    with pytest.raises(SetupError, match=r"it must take one tensor\(float\) .*, 3, 64, 64"):
        placed(folder, kind="onnx", file=str(file), output="logit", preprocessing={**SEEN, "input_px": 64})
    assert judges.load(folder, "float32").digest


def test_an_output_of_another_shape_is_a_sentence(exported, tmp_path):
    with pytest.raises(SetupError, match=r"shape \(4, 2\)"):
        ask(onnx_folder(tmp_path, exported(2), "logit"), some(tmp_path / "set"), tmp_path)
    with pytest.raises(SetupError, match=r"two logits are \(4, 2\)"):
        ask(onnx_folder(tmp_path, exported(1), "two-logits"), some(tmp_path / "set"), tmp_path)


def kept_outside(file, location):
    """The same model with its tensors in another file."""
    import onnx

    model = onnx.load(str(file))
    onnx.save(model, str(file), save_as_external_data=True, location="weights.bin", size_threshold=400)
    apart = onnx.load(str(file), load_external_data=False)
    for tensor in apart.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    file.write_bytes(apart.SerializeToString())


def test_tensors_beside_the_file_are_copied_too(network, exported, tmp_path):
    file, images = exported(1), some(tmp_path / "set")
    kept_outside(file, "weights.bin")
    folder = onnx_folder(tmp_path, file, "logit")
    assert set(json.loads((folder / "detector.json").read_text())["files"]) == {"model.onnx", "weights.bin"}
    table, _ = ask(folder, images, tmp_path)
    assert table["logit"].to_list() == pytest.approx(network_logits(network, images)[:, 0].tolist(), abs=1e-4)


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/hostname", "link.bin"])
def test_tensors_outside_the_files_folder_are_refused(exported, tmp_path, place):
    file = exported(1)
    (file.parent / "link.bin").symlink_to("/etc/hostname")
    kept_outside(file, place)
    with pytest.raises(SetupError, match="out of its own folder: this is refused"):
        onnx_folder(tmp_path, file, "logit")


# --- MLflow

FROM_CODE = """
from io import BytesIO

import mlflow
import numpy as np
from PIL import Image

class Brightness(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        pictures = [Image.open(BytesIO(content)) for content in model_input["image"]]
        assert all(picture.format == "PNG" for picture in pictures)
        return [float(np.asarray(picture).mean()) for picture in pictures]

mlflow.models.set_model(Brightness())
"""


@pytest.fixture
def saved(tmp_path):
    """An MLflow model from code."""
    import mlflow

    (tmp_path / "brightness.py").write_text(textwrap.dedent(FROM_CODE))
    mlflow.pyfunc.save_model(str(tmp_path / "theirs"), python_model=str(tmp_path / "brightness.py"))
    return tmp_path / "theirs"


def test_an_mlflow_model_from_code_gives_its_scores(saved, tmp_path):
    folder = placed(tmp_path / "mine", kind="pyfunc", uri=str(saved), output="logit")
    images = some(tmp_path / "set")
    table, _ = ask(folder, images, tmp_path)
    assert table["logit"].to_list() == pytest.approx([mean_of(image) for image in images])
    assert "model/MLmodel" in json.loads((folder / "detector.json").read_text())["files"]


def test_a_registered_model_is_copied_so_that_its_alias_may_move(saved, tmp_path, monkeypatch):
    import mlflow

    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    client = mlflow.MlflowClient(store)
    client.create_registered_model("theirs")
    client.create_model_version("theirs", saved.as_uri())
    client.set_registered_model_alias("theirs", "champion", "1")
    folder = placed(tmp_path / "mine", kind="pyfunc", uri="models:/theirs@champion", output="logit")
    client.delete_registered_model("theirs")
    assert judges.load(folder, "float32").scores([np.full((8, 8, 3), 7, np.uint8)]) == [7.0]


def test_a_pickled_mlflow_model_is_refused(tmp_path):
    import mlflow

    class Pickled(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return [0.0]

    mlflow.pyfunc.save_model(str(tmp_path / "theirs"), python_model=Pickled())
    with pytest.raises(SetupError, match=r"pickle.*save it as a model from code"):
        placed(tmp_path / "mine", kind="pyfunc", uri=str(tmp_path / "theirs"), output="logit")
    (tmp_path / "theirs/python_model.pkl").rename(tmp_path / "theirs/python_model.bin")
    described = (tmp_path / "theirs/MLmodel").read_text().replace("python_model.pkl", "python_model.bin")
    (tmp_path / "theirs/MLmodel").write_text(described)
    with pytest.raises(SetupError, match=r"MLflow cannot load .*save it as a model from code"):
        placed(tmp_path / "mine", kind="pyfunc", uri=str(tmp_path / "theirs"), output="logit")


def test_what_is_no_mlflow_model_is_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(SetupError, match="no MLmodel in it"):
        placed(tmp_path / "mine", kind="pyfunc", uri=str(tmp_path), output="logit")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(SetupError, match=r"cannot get models:/nobody@champion from .*check MLFLOW_TRACKING_URI"):
        placed(tmp_path / "mine", kind="pyfunc", uri="models:/nobody@champion", output="logit")


# --- rows


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "onxx"}, r"no kind of detector 'onxx'. Did you mean 'onnx'"),
        ({"kind": "pyfunc", "output": "logit"}, "uri is missing"),
        ({"kind": "pyfunc", "uri": "x", "output": "score"}, "output is 'score', it must be logit or probability"),
        ({"kind": "pyfunc", "uri": "x", "output": "logit", "inputpx": 3}, "Did you mean 'input_px'"),
        ({"kind": "callable", "callable": "os; x:y", "output": "logit"}, "it must be package.module:name"),
        ({"kind": "metadata", "facts": ["bytes"]}, "a list of some of format"),
    ],
)
def test_a_row_that_its_kind_does_not_know_is_a_sentence(tmp_path, row, told):
    with pytest.raises(SetupError, match=told):
        placed(tmp_path / "mine", **row)


def test_a_folder_of_a_kind_is_no_network(function, tmp_path):
    from dda.io.detecting import Detector

    with pytest.raises(SetupError, match=r"a detector of kind 'callable'.*`dda evaluate`"):
        Detector.load(function("brightness"))


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "onnx"}'], ids=["cut", "list", "without a row"])
def test_a_damaged_description_is_a_sentence(function, text):
    folder = function("brightness")
    (folder / "detector.json").write_text(text)
    with pytest.raises(SetupError, match=r"detector.json describes no detector"):
        judges.load(folder, "float32")
