"""ONNX files of others, run by onnxruntime: windows in, logits out. They hold numbers and operators, no code."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dda.core import kinds
from dda.core.errors import SetupError
from dda.core.windows import normalise, windows_of
from dda.io import devices, foreign, onnx_sessions, shards
from dda.io.detectors import sha256_of
from dda.io.foreign import Pixels

Row = Mapping[str, Any]
FILE = "model.onnx"


@dataclass(frozen=True)
class Model:
    """An ONNX file as a judge: float32 (N, 3, size, size), normalised, to one score or two logits for each."""

    session: Any
    description: Row

    @property
    def digest(self) -> str:
        """Stands for the file, the preprocessing, and the meaning of its scores."""
        row = self.description["row"]
        decisive = (row["preprocessing"], row["output"], self.description["files"])
        return shards.fingerprint("onnx", decisive, shards.code_digest(kinds.logit))

    def windows(self, pixels: Pixels, views: str) -> list[Pixels]:
        """The windows of the row's size."""
        return windows_of(pixels, self.description["row"]["preprocessing"]["input_px"], views)

    def scores(self, windows: Sequence[Pixels]) -> list[float | str]:
        """A logit for each, or why there is none."""
        return foreign.answers(self._ask, windows, self.description["row"]["output"])

    def _ask(self, windows: Sequence[Pixels]) -> Any:
        size = 1 if self.session.get_inputs()[0].shape[0] == 1 else len(windows)
        return [score for n in range(0, len(windows), size) for score in self._batch(windows[n : n + size])]

    def _batch(self, windows: Sequence[Pixels]) -> list[float]:
        import torch

        row = self.description["row"]
        seen = row["preprocessing"]
        images = normalise(torch.from_numpy(np.stack(windows)), seen["mean"], seen["std"]).numpy()
        found = np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: images})[0], float)
        if row["output"] != "two-logits":
            return foreign.numbers(found, len(windows))
        if found.shape != (len(windows), 2):
            raise SetupError(f"the first output has the shape {found.shape}, two logits are ({len(windows)}, 2)")
        return [float(fake - real) for real, fake in found]


def place(row: Row, folder: Path, sets: Mapping[str, Path]) -> dict[str, Any]:
    """Copy the file and what it holds outside itself; the digests of both.

    Raises SetupError where it is no ONNX file, not the one that the row's `sha256` names, or points out of its folder.
    """
    del sets
    source = Path(row["file"])
    if not source.is_file():
        raise SetupError(f"no file {source}: `file` of a detector is a path below the project, or an absolute one")
    shutil.copyfile(source, folder / FILE)
    found = sha256_of(folder / FILE)
    if found != row.get("sha256", found):
        raise SetupError(f"the sha256 of {source} is {found}, and the row says {row['sha256']}")
    for name in _outside(folder / FILE, source):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.parent / name, folder / name)
    _session(folder / FILE, row)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {"files": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}}


def load(folder: Path, description: Row, precision: str) -> Model:
    """The model of a folder. Raises SetupError where a file is not the one that was put there, or does not fit."""
    del precision  # the file's own
    foreign.check_files(folder, description["files"])
    return Model(_session(folder / FILE, description["row"]), description)


def _outside(path: Path, source: Path) -> list[str]:
    """Names of files that hold tensors of a model, each below its own folder."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise SetupError(f"{source} is no ONNX file: {error}") from error
    apart = [one for one in _tensors(model) if one.data_location == onnx.TensorProto.EXTERNAL]
    names = {entry.value for one in apart for entry in one.external_data if entry.key == "location"}
    inside = source.parent.resolve()
    for name in names:
        pure, real = PurePosixPath(name), (source.parent / name).resolve()
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or not real.is_relative_to(inside):
            raise SetupError(f"{source} points to {name!a:.120}, out of its own folder: this is refused")
        if not real.is_file() or name == FILE:
            raise SetupError(f"{source} keeps tensors in {name!a:.120}, which is not beside it")
    return sorted(names)


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model, those of graphs inside graphs and of functions too."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            yield from (attribute.t, *attribute.tensors)
            graphs += [attribute.g, *attribute.graphs]


def _session(path: Path, row: Row) -> Any:
    """The file, ready to run. Raises SetupError where onnxruntime refuses it, or it wants other images."""
    session = onnx_sessions.opened(path, _providers(), row["file"])
    size = row["preprocessing"]["input_px"]
    shapes = [(one.type, list(one.shape)) for one in session.get_inputs()]
    if len(shapes) == 1 and _takes(*shapes[0], size):
        return session
    told = f"{row['file']} takes {', '.join(f'{kind} {shape}' for kind, shape in shapes)}"
    raise SetupError(f"{told}; it must take one tensor(float) [any number or 1, 3, {size}, {size}]")


def _takes(kind: str, shape: Sequence[Any], size: int) -> bool:
    """Whether an input takes images; what is no number in a shape may be any."""
    wanted = (1, 3, size, size)
    fits = len(shape) == 4 and all(not isinstance(n, int) or n == m for n, m in zip(shape, wanted, strict=True))
    return kind == "tensor(float)" and fits


def _providers() -> list[Any]:
    """CUDA where there is a GPU and onnxruntime is made for it; else the CPU."""
    kind, _, number = devices.best().partition(":")
    if kind == "cuda" and "CUDAExecutionProvider" in onnx_sessions.library().get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]
