"""The page of an audit: verdicts, plots, expectations, and pairs to look at."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dda.core import probes
from dda.io import page, plots

DIFFERENCE_GAIN = 8.0
MEANING = {
    "file_facts": "format, width, height, channels, quantisation tables, quality, subsampling, scans",
    "file_size": "bytes, and bytes per pixel",
    "pixel_statistics": "mean and spread of levels, shares of black, white and even levels",
    "block_grid": "steps between pixels by their place in the 8x8 grid of JPEG",
    "spectrum": "power of the luminance in 24 rings of frequency",
}


def write(
    path: Path,
    stamp: Mapping[str, Any],
    problems: Sequence[str],
    gallery: Sequence[Mapping[str, Any]] = (),
    documents: Path | None = None,
) -> None:
    """Write the page of a stamp (`name`, `summary`, `probes`, `biases`, `spectra_db`, `spectral_gap_db`, ...).

    `documents` is the first page of Great Expectations' Data Docs, linked from here.
    """
    content = {
        "stamp": stamp,
        "name": stamp["name"],
        "summary": stamp["summary"],
        "problems": problems,
        "meaning": MEANING,
        "has_before": any(one["before"] for one in stamp["probes"]),
        "probes_plot": plots.probes(stamp["probes"]),
        "spectra_plot": plots.spectra(probes.RING_FREQUENCIES, stamp["spectra_db"], stamp["spectral_gap_db"]),
        "unreadable": stamp.get("unreadable", []),
        "gallery": gallery,
        "gain": DIFFERENCE_GAIN,
        "documents": os.path.relpath(documents, path.parent) if documents else None,
    }
    page.render("audit.html", path, content)
