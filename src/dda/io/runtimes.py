"""By what a detector's windows get their logits: onnxruntime on a CPU, where the folder has such a file; else torch.

torch and timm take five seconds to import, onnxruntime a tenth of one. What it answers was compared with the network's
own logits before the file was written (io.exports).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dda.core.errors import SetupError
from dda.io import detectors, devices, onnx_sessions
from dda.io.detectors import NetworkJudge

ONNX, DATA = "model.onnx", "model.onnx.data"
INPUT, OUTPUT = "windows", "logits"
DIGESTS = {"sha256": ONNX, "data_sha256": DATA}
"""By their names in a description's `exports`, the files whose digests they are; the second only of large networks."""


class Runtime(Protocol):
    """Whatever gives windows their logits, and what is known of the detector that it is."""

    @property
    def description(self) -> Any:
        """What stands in detector.json."""

    @property
    def folder(self) -> Path | None:
        """Where the detector lies; None of a network that never lay anywhere."""

    def scores(self, windows: Sequence[NDArray[np.uint8]]) -> list[float]:
        """One logit for each window (size, size, 3), RGB uint8: above 0 is "generated"."""


@dataclass(frozen=True)
class OnnxRuntime:
    """An exported detector on the CPU, without torch. Any number of threads may ask it at once."""

    session: Any
    description: Mapping[str, Any]
    folder: Path

    def scores(self, windows: Sequence[NDArray[np.uint8]]) -> list[float]:
        """One logit for each window (size, size, 3), RGB uint8, all in one batch: above 0 is "generated"."""
        (logits,) = self.session.run([OUTPUT], {INPUT: np.stack(windows)})
        return [float(logit) for logit in logits]


def load(folder: Path, device: str | None, precision: str) -> Runtime:
    """The detector of a folder, on a device by torch's name for it, the best one where none is named.

    Raises SetupError where there is no detector, or a file is another one than its description names.
    """
    if precision == "float32" and devices.is_cpu(device):
        description = detectors.network_description(folder)
        facts = _facts(description)
        if facts and (folder / ONNX).is_file():
            return _onnx(folder, description, facts)
    return NetworkJudge.load(folder, device, precision)


def _facts(description: Mapping[str, Any]) -> dict[str, Any]:
    """What a description says of its ONNX file; empty where it names none."""
    exports = description.get("exports")
    facts = exports.get("onnx") if isinstance(exports, dict) else None
    return facts if isinstance(facts, dict) and facts.get("sha256") else {}


def _onnx(folder: Path, description: Mapping[str, Any], facts: Mapping[str, Any]) -> OnnxRuntime:
    for digest, name in DIGESTS.items():
        if digest in facts and (not (folder / name).is_file() or detectors.sha256_of(folder / name) != facts[digest]):
            told = f"{folder / name} is not the file that {detectors.DESCRIPTION} describes: its sha256 is another one"
            raise SetupError(f"{told}. Get or make the detector again, or delete it to judge with {detectors.WEIGHTS}")
    session = onnx_sessions.opened(folder / ONNX)
    size = description["preprocessing"]["input_px"]
    taken = [(one.name, one.type, list(one.shape)[1:]) for one in session.get_inputs()]
    given = [one.name for one in session.get_outputs()]
    if taken != [(INPUT, "tensor(uint8)", [size, size, 3])] or given != [OUTPUT]:
        told = f"{folder / ONNX} takes {taken} and gives {given}"
        raise SetupError(f"{told}; it must take {INPUT}, uint8 [any number, {size}, {size}, 3], and give {OUTPUT}")
    return OnnxRuntime(session, description, folder)
