import json
import subprocess

import pytest

from dda.app.detect import run
from dda.core.errors import SetupError


def test_files_get_a_verdict_or_a_reason(line, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    photo = next(line.paths.photos.iterdir())
    verdicts = list(run(line.paths.detectors / "embedded", [photo, tmp_path / "bad.jpg", tmp_path / "gone.jpg"]))
    assert verdicts[0].verdict in ("real", "uncertain", "generated")
    assert [verdict.verdict for verdict in verdicts[1:]] == ["unreadable", "unreadable"]
    assert [verdict.error for verdict in verdicts[1:]] == [
        "no image in a known format",
        "cannot be read: No such file or directory",
    ]


def test_a_folder_without_a_detector_says_so(tmp_path):
    with pytest.raises(SetupError, match="no detector in"):
        list(run(tmp_path, []))


def test_the_command_tells_unreadable_files_by_its_status(line, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    photo = next(line.paths.photos.iterdir())
    good = subprocess.run(["dda", "detect", photo], capture_output=True, text=True, check=True)
    assert good.stdout.split()[0] in ("real", "uncertain", "generated")
    bad = subprocess.run(["dda", "detect", photo, tmp_path / "bad.jpg"], capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "no image in a known format" in bad.stdout


def test_the_command_says_where_a_probability_is_calibrated(copied_line):
    path = copied_line.paths.detectors / "embedded/detector.json"
    described = json.loads(path.read_text())
    photo = next(copied_line.paths.photos.iterdir())
    said = []
    for temperature in (None, 1e6):
        described["calibration"]["temperature"] = temperature
        path.write_text(json.dumps(described))
        said.append(subprocess.run(["dda", "detect", photo], capture_output=True, text=True, check=True).stdout)
    assert "calibrated" not in said[0]
    assert "  calibrated probability 0.500  logit" in said[1]
