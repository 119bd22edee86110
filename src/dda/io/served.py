"""The code of a registered version, run by MLflow: image files to verdicts, in any environment with its requirements.

Here it is a module like any other; a version carries a copy of it and of the modules that it needs (io.packing). Those
it imports when it is loaded: only then do they stand beside it.
"""

from collections.abc import Iterator
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

MAX_PIXELS = 200_000_000
THRESHOLD = 0.0
"""Of the logit: above it an image is called generated."""
KINDS = {"verdict": "str", "probability": "object", "logit": "object", "threshold": "float64", "error": "object"}
"""Missing numbers are None and no NaN, which JSON, as MLflow's server sends it, does not know."""


class Served(PythonModel):
    """A detector that answers a table of image files with a table of verdicts."""

    def load_context(self, context: Any) -> None:
        """Take the detector from the version's artifacts, to `device` of its `model_config`, else to the best one."""
        from dda.io import photos
        from dda.io.detectors import Detector

        self.photos = photos
        self.detector = Detector.load(context.artifacts["detector"], context.model_config["device"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """A row for each row of `image`, the bytes of an image file in any format that is decoded.

        `verdict` is real, generated or unreadable; `probability` is that of "generated", in [0, 1], calibrated where
        the detector is; `threshold` is that of `logit`. `error` says why an image was not judged, and is None for one
        that was; then probability and logit are None.
        """
        del context, params
        errors: dict[int, str] = {}
        found = iter(self.detector.predict(self._readable(model_input["image"], errors)))
        rows = [
            _row(None, errors[place]) if place in errors else _row(next(found), None)
            for place in range(len(model_input))
        ]
        columns = {
            name: pd.Series([row[name] for row in rows], model_input.index, kind) for name, kind in KINDS.items()
        }
        return pd.DataFrame(columns)

    def _readable(self, contents: Any, errors: dict[int, str]) -> Iterator[Any]:
        """The pixels of those that can be read; why the others cannot, by their places."""
        for place, content in enumerate(contents):
            try:
                yield self.photos.decode_any(content, MAX_PIXELS)
            except self.photos.PhotoRejected as rejection:
                errors[place] = str(rejection)


def _row(prediction: Any, error: str | None) -> dict[str, Any]:
    if prediction is None:
        known = {"verdict": "unreadable", "probability": None, "logit": None}
    else:
        word = "generated" if prediction.logit > THRESHOLD else "real"
        known = {"verdict": word, "probability": prediction.probability, "logit": prediction.logit}
    return {**known, "threshold": THRESHOLD, "error": error}


mlflow.models.set_model(Served())
