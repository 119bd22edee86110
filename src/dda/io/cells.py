"""Image bytes in Parquet files, read as a stream: a page of the file and a few rows are in memory, never all of it.

How large a page is was decided by whoever wrote the file; it may be a whole row group. A Parquet file has no way to
one row but past those before it. Images are asked for nearly in order, so one reader goes ahead and keeps the last
rows, for all threads; whoever asks for an earlier one begins the row group anew.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from dda.io.photos import PhotoRejected

BATCH_ROWS = 4
KEPT_BATCHES = 16


class Cell(NamedTuple):
    """Where the bytes of an image lie in a Parquet file: column, row group, and row within that group, from 0."""

    column: str
    group: int
    row: int


def read(path: Path, cell: Cell) -> bytes:
    """The bytes of an image: those of the cell, or of its field `bytes`. Raises PhotoRejected with the reason."""
    import pyarrow as pa

    try:
        value = _STREAMS.value(path, cell)
    except (OSError, pa.ArrowException) as error:
        raise PhotoRejected(f"cannot be read from {path.name}: {error}") from error
    if isinstance(value, dict):
        elsewhere = value.get("path")
        value = value.get("bytes")
        if value is None and elsewhere:
            raise PhotoRejected(f"{path.name} holds no bytes of it, only the name {elsewhere!a:.120}")
    if not value:
        raise PhotoRejected("empty file" if value is not None else f"{path.name} holds no bytes of it")
    return bytes(value)


class _Stream:
    """One column of one row group, from its first row on."""

    def __init__(self, path: Path, column: str, group: int) -> None:
        import pyarrow.parquet as pq

        self.of = (path, column, group)
        self._file = pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
        self._batches: Iterator[Any] = self._file.iter_batches(BATCH_ROWS, row_groups=[group], columns=[column])
        self._kept: deque[tuple[int, Any]] = deque(maxlen=KEPT_BATCHES)
        self._n_passed = 0

    def has_passed(self, row: int) -> bool:
        """Whether a row came and was let go."""
        return bool(self._kept) and row < self._kept[0][0]

    def value(self, row: int) -> Any:
        """The row's value. Raises PhotoRejected where the group ends before it."""
        while row >= self._n_passed:
            batch = next(self._batches, None)
            if batch is None:
                self._file.close()
                raise PhotoRejected(f"{self.of[0].name} ends before it: the file has changed")
            self._kept.append((self._n_passed, batch.column(0)))
            self._n_passed += len(batch)
        start, values = next(kept for kept in reversed(self._kept) if kept[0] <= row)
        return values[row - start].as_py()


class _Streams:
    """The stream that was used last, one at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: _Stream | None = None

    def value(self, path: Path, cell: Cell) -> Any:
        """The value of a cell. What fails leaves no stream behind."""
        with self._lock:
            stream, self._last = self._last, None
            if stream is None or stream.of != (path, cell.column, cell.group) or stream.has_passed(cell.row):
                stream = _Stream(path, cell.column, cell.group)
            value = stream.value(cell.row)
            self._last = stream
        return value


_STREAMS = _Streams()
