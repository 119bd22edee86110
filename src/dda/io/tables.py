"""Tables as Parquet files: records in, data frames out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dda.core.errors import SetupError
from dda.io.atomic import whole


def write(path: Path, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Write rows as a table with exactly these columns and pandas types, and give it back.

    Raises ValueError where a row has a column that the table does not name.
    """
    unknown = {name for row in rows for name in row} - set(columns)
    if unknown:
        raise ValueError(f"rows for {path.name} have unknown columns: {', '.join(sorted(unknown))}")
    frame = pd.DataFrame({name: _column([row.get(name) for row in rows], kind) for name, kind in columns.items()})
    with whole(path) as temporary:
        frame.to_parquet(temporary, index=False)
    return frame


def _column(values: list[Any], kind: Any) -> Any:
    """One column on its own: in a frame of rows, a large integer beside a missing value would pass through floats."""
    return pd.array(values, dtype=kind)


def read(path: Path) -> pd.DataFrame:
    """Read a table. Raises SetupError where it is not there yet."""
    if not path.is_file():
        raise SetupError(f"no table at {path}: run `dvc repro`, which makes it")
    return pd.read_parquet(path)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries of plain Python values; a missing value is None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
