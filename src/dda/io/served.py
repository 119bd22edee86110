"""The code of a registered version, run by MLflow: image files to verdicts, in any environment with its requirements.

Here it is a module like any other; a version carries a copy of it and of the modules that it needs (io.packing). Those
it imports when it is loaded: only then do they stand beside it.
"""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

COLUMNS = {"verdict": "str", "probability": "object", "logit": "object", "threshold": "float64", "error": "object"}
"""Missing numbers are None and no NaN, which JSON, as MLflow's server sends it, does not know."""


class Served(PythonModel):
    """A detector that answers a table of image files with a table of verdicts."""

    def load_context(self, context: Any) -> None:
        """Take the detector from the version's artifacts, to `device` of its `model_config`, else to the best one."""
        from dda.io.detecting import Detector

        self.detector = Detector.load(context.artifacts["detector"], context.model_config["device"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """A row for each row of `image`, the bytes of an image file in any format that is decoded.

        `verdict` is real, uncertain, generated or unreadable; `probability` is that of "generated", in [0, 1],
        calibrated where the detector is; `threshold` is that of `logit`. `error` says why an image was not judged, and
        is None for one that was; then probability and logit are None.
        """
        del context, params
        found = self.detector.predict(list(model_input["image"]))
        told = {name: [getattr(one, name) for one in found] for name in COLUMNS}
        return pd.DataFrame({name: pd.Series(told[name], model_input.index, kind) for name, kind in COLUMNS.items()})


mlflow.models.set_model(Served())
