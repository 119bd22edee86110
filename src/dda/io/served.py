"""The code of a registered version, run by MLflow: image files to verdicts, in any environment with its requirements.

Here it is a module like any other; a version carries a copy of it and of the modules that it needs (io.packing). Those
it imports when it is loaded: only then do they stand beside it. What comes from a client is bytes and nothing else: no
address is fetched for it, and no file is opened.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.pyfunc import PythonModel

COLUMNS = {
    "verdict": "str",
    "probability": "object",
    "logit": "object",
    "threshold": "float64",
    "calibrated": "bool",
    "seen": "object",
    "width": "object",
    "height": "object",
    "error": "object",
}
"""Missing numbers are None and no NaN, which JSON, as MLflow's server sends it, does not know."""
NO_BYTES = "not base64 of an image file: addresses and paths are never opened, send the file itself"


class Served(PythonModel):
    """A detector that answers a table of image files with a table of verdicts."""

    def load_context(self, context: Any) -> None:
        """Take the detector from the version's artifacts, to `device` of its `model_config`, else to the best one."""
        from dda.io.detecting import Detector

        self.limits = context.model_config
        found = Detector.load(context.artifacts["detector"], self.limits["device"])
        self.detector = replace(found, max_pixels=self.limits["max_pixels"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """A row for each row of `image`: an image file in any format that is decoded, as bytes or their base64.

        `verdict` is real, uncertain, generated or unreadable; `probability` is that of "generated", in [0, 1],
        calibrated where the detector is; `threshold` is that of `logit`; `seen` is the share of the image's pixels that
        was looked at. `error` says why an image was not judged, and is None for one that was; else what is not known is
        None. `params`: `views`, and `max_fpr`, 0 for none. Raises MlflowException for more rows than `max_rows` of its
        `model_config`, views or a rate that the detector does not know.
        """
        from dda.core.errors import SetupError

        del context
        asked = params or {}
        if len(model_input) > self.limits["max_rows"]:
            raise _refused(f"{len(model_input)} images in one request: at most {self.limits['max_rows']} are answered")
        given = [self._content(one) for one in model_input["image"]]
        try:
            found = self.detector.predict(
                [one if isinstance(one, bytes) else b"" for one in given],
                asked.get("views") or "centre",
                asked.get("max_fpr") or None,
            )
        except SetupError as error:
            raise _refused(str(error)) from error
        told = {name: [getattr(one, name) for one in found] for name in COLUMNS}
        told["error"] = [one if isinstance(one, str) else was for one, was in zip(given, told["error"], strict=True)]
        return pd.DataFrame({name: pd.Series(told[name], model_input.index, kind) for name, kind in COLUMNS.items()})

    def _content(self, given: Any) -> bytes | str:
        """An image file's bytes, or a sentence that says why there are none."""
        largest = self.limits["max_bytes"]
        too_large = f"larger than {largest / 1e6:g} MB"
        if isinstance(given, str):
            if len(given) > largest * 4 / 3 + 4:
                return too_large
            try:
                given = base64.b64decode(given, validate=True)
            except (binascii.Error, ValueError):
                return NO_BYTES
        if not isinstance(given, bytes | bytearray | memoryview):
            return NO_BYTES
        return bytes(given) if len(given) <= largest else too_large


def _refused(told: str) -> MlflowException:
    return MlflowException(told, INVALID_PARAMETER_VALUE)


mlflow.models.set_model(Served())
