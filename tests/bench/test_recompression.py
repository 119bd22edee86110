"""The measurement of the hint runs, and says what it found."""

import sys

from bench import recompression
from dda.embedded.photos import tiles


def test_a_small_measurement_tells_limit_alarms_and_hits(tmp_path, monkeypatch, capsys):
    for number, (name, content) in zip(range(4), tiles(), strict=False):
        (tmp_path / f"{number}-{name}").write_bytes(content)
    monkeypatch.setattr(recompression, "CELLS", 6)
    monkeypatch.setattr(recompression, "ONCE", 1)
    monkeypatch.setattr(sys, "argv", ["recompression.py", str(tmp_path)])
    recompression.main()
    told = capsys.readouterr().out
    assert "limit by the first half" in told
    assert "as it is: 0.0 %" in told
    assert "hits in percent, uncut" in told
