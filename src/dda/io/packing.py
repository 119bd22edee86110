"""A detector as a model of MLflow's that needs no dda where it is loaded, and no pickle.

A version answers by the code that it was registered with, whatever dda is installed beside it: its modules lie in it as
a package that bears the digest of their sources in its name, such as dda_1f0c52d9a0b3. So neither an installed dda nor
another version loaded earlier, which Python would find first under the name `dda`, can answer in its place.
"""

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

ARTIFACT = "detector"
CODE = (
    *(f"core/{name}.py" for name in ("__init__", "buffers", "descriptions", "errors", "jpeg", "labels", "networks")),
    *(f"core/{name}.py" for name in ("regions", "verdicts", "windows")),
    *(f"io/{name}.py" for name in ("__init__", "atomic", "detecting", "detectors", "devices", "photos", "pictures")),
    *(f"io/{name}.py" for name in ("png_chunks", "runtimes", "shards", "sources", "threads", "unknown_files")),
)
"""All that io.served needs of dda, which a test compares with what it imports."""
SERVED = "io/served.py"
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pillow", "safetensors", "timm", "torch", "torchvision")
"""All that this code imports of others."""
SOURCES = Path(__file__).parents[1]
INPUTS = (("image", DataType.binary),)
OUTPUTS = (
    ("verdict", DataType.string),
    ("probability", DataType.double),
    ("logit", DataType.double),
    ("threshold", DataType.double),
    ("error", DataType.string),
)
EMPTY = ("probability", "logit", "error")


@dataclass(frozen=True)
class Identity:
    """Under which names the store keeps a model: of the model itself, and of the run that made it."""

    model_id: str
    run_id: str


def code_digest() -> str:
    """Stands for the code that a version carries."""
    told = "\0".join((SOURCES / name).read_text("utf-8") for name in ("__init__.py", *CODE, SERVED))
    return hashlib.sha256(told.encode()).hexdigest()


def requirements() -> list[str]:
    """What a version needs, as lines for pip: the very releases that it was registered with."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS]


def write(folder: Path, detector: Path, example: list[bytes], facts: Mapping[str, Any], identity: Identity) -> None:
    """Write the model of a detector's folder into a new folder. `example` holds image files, `facts` are for people."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # it warns of what is meant
    with tempfile.TemporaryDirectory() as scratch:
        package = f"dda_{code_digest()[:12]}"
        served, source = Path(scratch) / "served.py", Path(scratch) / ARTIFACT
        shutil.copytree(detector, source, copy_function=_linked)  # what MLflow keeps bears the name and place of this
        _write_code(Path(scratch) / package, package)
        served.write_text(_renamed((SOURCES / SERVED).read_text("utf-8"), package), "utf-8")
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(served),
            code_paths=[str(Path(scratch) / package)],
            artifacts={ARTIFACT: str(source)},
            model_config={"device": None},
            signature=signature(),
            input_example=pd.DataFrame({"image": example}),
            pip_requirements=requirements(),
            metadata=dict(facts),
            mlflow_model=Model(run_id=identity.run_id, model_uuid=identity.model_id, model_id=identity.model_id),
        )


def signature() -> ModelSignature:
    """Bytes in, verdicts out."""
    inputs = Schema([ColSpec(kind, name) for name, kind in INPUTS])
    outputs = Schema([ColSpec(kind, name, required=name not in EMPTY) for name, kind in OUTPUTS])
    return ModelSignature(inputs=inputs, outputs=outputs)


def _write_code(folder: Path, package: str) -> None:
    for name in ("__init__.py", *CODE):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_renamed((SOURCES / name).read_text("utf-8"), package), "utf-8")


def _renamed(source: str, package: str) -> str:
    """The same code, in a package of this name."""
    return re.sub(r"^(\s*(?:from|import) )dda(?=[\s.])", rf"\g<1>{package}", source, flags=re.MULTILINE)


def _linked(source: str, target: str) -> None:
    """A copy that takes no room where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
