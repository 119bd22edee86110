"""A detector as a file that runs without dda: ONNX, or torch's own `pt2`. The preprocessing is part of the graph.

Both take windows as they are cut, uint8 RGB (N, size, size, 3), so that nobody has to know a mean and a deviation, or
can get them wrong; any N. A file appears only after it has answered real windows as its network does.
"""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.errors import SetupError, did_you_mean
from dda.core.networks import logits_of
from dda.core.windows import normalise
from dda.io import atomic, detectors, onnx_sessions
from dda.io.runtimes import DATA, INPUT, ONNX, OUTPUT

PT2 = "model.pt2"
FORMATS = {"onnx": ONNX, "pt2": PT2}
TOLERANCE = 1e-3
"""How far a file's logits may be from its network's."""
APART_BYTES = 1_900_000_000
"""Weights above this lie beside an ONNX file, which holds no more than 2 GiB."""
OPSET = 20
Windows = Sequence[NDArray[np.uint8]]


def write(folder: Path, output: Path, formats: Sequence[str], windows: Windows) -> dict[str, dict[str, Any]]:
    """Export the detector of a folder into another one, with its description.

    `windows` are RGB uint8 (size, size, 3) to compare the answers on. What is said of each format: `sha256` of its
    file, and `max_difference`, the largest between its logits and the network's. Raises SetupError where there is no
    detector, no such format, or a file that answers otherwise.
    """
    for name in formats:
        if name not in FORMATS:
            raise SetupError(f"no format {name!r}. {did_you_mean(name, FORMATS)}")
    if output.resolve() == folder.resolve():
        raise SetupError(f"{output} is the detector's own folder: export into another one")
    description = detectors.network_description(folder)
    (output / detectors.DESCRIPTION).unlink(missing_ok=True)  # never an old description beside new files
    facts = _exported(folder, output, formats, windows)
    for name, file in FORMATS.items():
        if name not in formats:
            (output / file).unlink(missing_ok=True)
    told = {**description, "exports": {name: _kept(fact) for name, fact in facts.items()}}
    atomic.write_json(output / detectors.DESCRIPTION, told)
    return facts


def add(folder: Path, formats: Sequence[str], windows: Windows) -> None:
    """Put exports of a detector into its own folder, where `Detector.load` finds the ONNX file, and describe them."""
    if formats:
        facts = {name: _kept(fact) for name, fact in _exported(folder, folder, formats, windows).items()}
        atomic.write_json(folder / detectors.DESCRIPTION, {**detectors.described(folder), "exports": facts})


def _exported(folder: Path, output: Path, formats: Sequence[str], windows: Windows) -> dict[str, dict[str, Any]]:
    description = detectors.network_description(folder)
    whole = _whole(detectors.network_of(folder, description), description["preprocessing"])
    return {name: WRITERS[name](whole, output, np.stack(windows)) for name in sorted(set(formats))}


def _kept(fact: Mapping[str, Any]) -> dict[str, Any]:
    """What a description keeps of an export: the difference as the power of ten above it, the same on any machine."""
    power = math.ceil(math.log10(max(fact["max_difference"], 1e-6)))
    return {**fact, "max_difference": float(f"1e{power}")}


def _whole(network: Any, seen: Mapping[str, Any]) -> Any:
    """The network with its preprocessing before it: windows uint8 (N, size, size, 3) to logits (N,)."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, windows: Any) -> Any:
            return logits_of(self.network, normalise(windows, seen["mean"], seen["std"]))

    return Whole().eval().requires_grad_(False)


def _write_onnx(whole: Any, output: Path, windows: NDArray[np.uint8]) -> dict[str, Any]:
    import onnx_ir
    import torch

    program: Any = torch.onnx.export(
        whole,
        (torch.from_numpy(_two(windows)),),
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=_any_number(),
        verbose=False,
    )
    model = program.model
    _forget_places(model)
    n_bytes = sum(one.const_value.nbytes for one in model.graph.initializers.values())
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output) as scratch:
        made = Path(scratch)
        onnx_ir.save(model, made / ONNX, external_data=DATA if n_bytes > APART_BYTES else None)
        session = onnx_sessions.opened(made / ONNX)
        difference = _difference(whole, lambda some: session.run([OUTPUT], {INPUT: some})[0], windows)
        apart = _moved(made / DATA, output)
        facts = {"sha256": _moved(made / ONNX, output), "max_difference": difference}
    return facts | ({"data_sha256": apart} if apart else {})


def _write_pt2(whole: Any, output: Path, windows: NDArray[np.uint8]) -> dict[str, Any]:
    import torch

    program = torch.export.export(whole, (torch.from_numpy(_two(windows)),), dynamic_shapes=_any_number())
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names of folders of this machine
    program.example_inputs = None  # the only pickle that would be in the file
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output) as scratch:
        made = Path(scratch) / PT2
        torch.export.save(program, made)
        loaded = torch.export.load(made).module()
        difference = _difference(whole, lambda some: loaded(torch.from_numpy(some)).numpy(), windows)
        return {"sha256": _moved(made, output), "max_difference": difference}


WRITERS: dict[str, Callable[[Any, Path, NDArray[np.uint8]], dict[str, Any]]] = {"onnx": _write_onnx, "pt2": _write_pt2}


def _two(windows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two windows to trace with: torch takes a batch of one for a number that never changes."""
    return np.resize(windows, (2, *windows.shape[1:]))


def _any_number() -> dict[str, Any]:
    import torch

    return {INPUT: {0: torch.export.Dim("batch")}}


def _difference(whole: Any, answer: Callable[[NDArray[np.uint8]], Any], windows: NDArray[np.uint8]) -> float:
    """The largest between logits of a file and of its network, all at once and one by one. Raises SetupError above
    TOLERANCE.
    """
    import torch

    found = 0.0
    for some in (windows, *(windows[n : n + 1] for n in range(len(windows)))):
        with torch.inference_mode():
            wanted = whole(torch.from_numpy(some)).numpy()
        found = max(found, float(np.abs(wanted - np.asarray(answer(some))).max()))
    if not found <= TOLERANCE:
        told = f"the exported file's logits differ from its network's by {found:g}"
        raise SetupError(f"{told}, at most {TOLERANCE:g} is allowed")
    return found


def _moved(made: Path, output: Path) -> str:
    """Give a finished file its place; its sha256, empty where there is no such file."""
    if not made.is_file():
        (output / made.name).unlink(missing_ok=True)
        return ""
    digest = detectors.sha256_of(made)
    with atomic.whole(output / made.name) as temporary:
        made.replace(temporary)
    return digest


def _forget_places(model: Any) -> None:
    """Delete what the exporter notes of its source: names of folders of this machine among them."""
    for graph in (model.graph, *model.functions.values()):
        graph.metadata_props.clear()
        for node in graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
    model.metadata_props.clear()
