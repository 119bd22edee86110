"""An evaluation that is killed goes on, and ends with the table of one that never was."""

import subprocess
import sys
import time
from pathlib import Path

import yaml

from dda.io import tables

COMMAND = "from dda.io import inference; inference.KEPT_S = 0.0; from dda.cli import main; main()"
PROTOCOLS = ["native", "noise-5", "crop-0.5", "jpeg-50", "webp-50", "resize-2", "screenshot", "social-twice"]


def test_a_killed_run_goes_on_and_gives_the_same_table(copied_line, tiles):
    root = copied_line.paths.benchmarks / "own"
    for copy in range(2):
        for name, content in tiles.items():
            path = root / ("real" if name < "d" else "fake") / f"{copy}-{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["evaluate"] |= {"protocols": PROTOCOLS, "batch_images": 8}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    parts = copied_line.paths.checkpoints / "predictions/embedded/own"
    command = [sys.executable, "-c", COMMAND, "evaluate", "embedded", "own"]
    with subprocess.Popen(command) as killed:
        until = time.monotonic() + 120
        while len(list(parts.glob("*.parquet"))) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        killed.kill()
    path = copied_line.paths.predictions / "embedded/own.parquet"
    assert len(list(parts.glob("*.parquet"))) >= 3
    assert not path.exists()
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    table = tables.read(path)
    kept = int(told.partition("judged (")[2].partition(" of them before)")[0])
    assert 0 < kept < len(table) == 40 * len(PROTOCOLS)
    assert not parts.exists()
    path.unlink()
    subprocess.run(command, capture_output=True, check=True)
    again = tables.read(path)
    assert again.drop(columns="logit").equals(table.drop(columns="logit"))
    assert (again["logit"] - table["logit"]).abs().max() < 1e-5  # batches differ
