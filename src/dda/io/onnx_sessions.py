"""Where onnxruntime is imported, and ONNX files are opened with it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.io import devices

TOLD_CHARACTERS = 300
SILENT = "ORT_DISABLE_TELEMETRY"
"""Its wheels report every session to their maker unless this is set before they are first imported, on Linux too."""


def library() -> Any:
    """onnxruntime, which reports nothing to anybody: unless somebody has imported it before, without that setting."""
    os.environ[SILENT] = "1"
    import onnxruntime

    return onnxruntime


def opened(path: Path, providers: Sequence[Any] = ("CPUExecutionProvider",), name: str | None = None) -> Any:
    """A session of an ONNX file on all cores of this process; any number of threads may run it at once.

    Raises SetupError, which calls the file by `name`, where onnxruntime refuses it.
    """
    runtime = library()
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, devices.cores()
    # a thread that waits for work must not keep a core from those that decode images
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    refusals = (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented)
    try:
        return runtime.InferenceSession(str(path), options, providers=list(providers))
    except (*refusals, errors.NoSuchFile, errors.RuntimeException) as error:
        told = " ".join(str(error).split())[:TOLD_CHARACTERS]
        raise SetupError(f"onnxruntime cannot run {name or path}: {told}") from error
