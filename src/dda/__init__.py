"""Dual Data Alignment as a reproducible pipeline: photos to aligned pairs to a judged detector of generated images."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dda.io.detecting import Detector

__all__ = ["Detector", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`dda.Detector`, imported when it is asked for: `import dda` itself takes no time."""
    if name == "Detector":
        from dda.io.detecting import Detector

        return Detector
    raise AttributeError(f"module 'dda' has no attribute {name!r}")
