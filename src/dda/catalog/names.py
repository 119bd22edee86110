"""Names of rows, as types of parameters: a name that no table knows is answered with the nearest known one."""

from typing import Annotated

from pydantic import AfterValidator

from dda import catalog
from dda.core.errors import did_you_mean


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"names one thing twice: {', '.join(names)}")
    return names


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("must name at least one")
    return _unique(names)


def _row_of(table: str) -> AfterValidator:
    """A string that must be the name of a row of a catalog table."""

    def check(name: str) -> str:
        if name not in catalog.table(table):
            raise ValueError(f"no {catalog.SINGULAR[table]} {name!r}. {did_you_mean(name, catalog.table(table))}")
        return name

    return AfterValidator(check)


Detector = Annotated[str, _row_of("detectors")]
Vaes = Annotated[tuple[Annotated[str, _row_of("vaes")], ...], AfterValidator(_some)]
Detectors = Annotated[tuple[Detector, ...], AfterValidator(_some)]
Benchmarks = Annotated[tuple[Annotated[str, _row_of("benchmarks")], ...], AfterValidator(_unique)]
Generators = Annotated[tuple[Annotated[str, _row_of("generators")], ...], AfterValidator(_unique)]
