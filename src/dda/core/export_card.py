"""The page that goes with an exported detector: what its files take and give, and how to call them."""

from collections.abc import Mapping
from typing import Any

CUT = """import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported: it reports to its maker otherwise
import numpy as np
import onnxruntime
from PIL import Image
"""


def page(description: Mapping[str, Any]) -> str:
    """README.md of an export, from the description that lies beside it."""
    size = description["preprocessing"]["input_px"]
    told = [_head(description, size), _preprocessing(description["preprocessing"]), _reading(description)]
    examples = {"onnx": _onnx, "pt2": _pt2}
    told += [example(size) for name, example in examples.items() if name in description["exports"]]
    return "\n\n".join(told) + "\n"


def _head(description: Mapping[str, Any], size: int) -> str:
    rows = "\n".join(
        f"| `model.{name}` | `{facts['sha256']}` | {facts['max_difference']:g} |"
        for name, facts in description["exports"].items()
    )
    return f"""# Detector {description["name"]}, exported

Made by {description["made_by"]}; licence {description["licence"]}. `detector.json` says all that is known of it.

| file | sha256 | its logits and the network's differ by less than |
|---|---|---|
{rows}

- input `windows`: uint8 (N, {size}, {size}, 3), RGB, any N
- output `logits`: float32 (N,); above 0 is "generated"\
"""


def _preprocessing(seen: Mapping[str, Any]) -> str:
    size = seen["input_px"]
    return f"""## Preprocessing

Upright image, RGB, 8 bits, transparency on white. Cut a window of {size} x {size} pixels from its middle; an image
that is smaller lies in the middle of a black one. **Never resize**: it wipes out what the detector looks for.

The rest is inside the files: / 255, minus {list(seen["mean"])}, divided by {list(seen["std"])}.\
"""


def _reading(description: Mapping[str, Any]) -> str:
    found = description["calibration"]
    temperature = found["temperature"]
    if temperature is None:
        return "## Reading the logit\n\nThe detector was never calibrated: a sigmoid of its logit is no probability."
    rates = "".join(f"\n- {logit:.4f}: {float(rate):.0%}" for rate, logit in found["thresholds"].items())
    return f"""## Reading the logit

The probability of "generated" is sigmoid(logit / {temperature:.6g}), fitted on validation images. Thresholds, and
how many of the real ones lay above them at most:{rates or " none were fitted"}\
"""


def _window(size: int) -> str:
    return f"""photo = np.asarray(Image.open("photo.png").convert("RGB"))
window = np.zeros(({size}, {size}, 3), np.uint8)
height, width = (min(side, {size}) for side in photo.shape[:2])
top, left = (photo.shape[0] - height + 1) // 2, (photo.shape[1] - width + 1) // 2
down, right = ({size} - height) // 2, ({size} - width) // 2
window[down : down + height, right : right + width] = photo[top : top + height, left : left + width]"""


def _onnx(size: int) -> str:
    return f"""## ONNX

```python
{CUT}
{_window(size)}
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
print(float(session.run(["logits"], {{"windows": window[None]}})[0][0]))
```"""


def _pt2(size: int) -> str:
    return f"""## pt2

Only torch is needed, no timm. Load it only where it comes from somebody you trust: torch's format can carry code.

```python
import numpy as np
import torch
from PIL import Image

{_window(size)}
network = torch.export.load("model.pt2").module()
print(float(network(torch.from_numpy(window[None]))[0]))
```"""
