"""A detector's card, as Markdown that Hugging Face reads too: what its description says, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any

FILE, N_BYTES, SHA256_BEGINS = "DDA_ckpt.pth", 1_255_621_296, "b27a31d3"  # what the authors have published
SPDX = {"Apache-2.0": "apache-2.0", "MIT": "mit"}
Description = Mapping[str, Any]


def detector_card(description: Description) -> str:
    """The whole card of a detector, from its description alone; without time and place."""
    sections = {
        "Use": _use(description),
        "Training data": _data(description),
        "Training and selection": _training(description),
        "Calibration": _calibration(description["calibration"]),
        "Limits": LIMITS,
        "Licences": _licences(description),
    }
    told = [f"## {title}\n\n{text.strip()}" for title, text in sections.items()]
    return "\n\n".join([_front_matter(description), _summary(description), *told]) + "\n"


def kind_card(description: Description) -> str:
    """The card of a detector that was not trained here, from its description by core.kinds."""
    row = description["row"]
    said = "\n".join(f"- {name}: {_shown(value)}" for name, value in row.items() if name not in ("kind", "licence"))
    sections = {
        "What it is": f"{KINDS[row['kind']]}\n\n{said}",
        "Calibration": _calibration(description["calibration"]),
        "Licence": f"{description['licence']}. No licence is granted here that others would have to give.",
    }
    told = [f"## {title}\n\n{text.strip()}" for title, text in sections.items()]
    head = f"# Detector {description['name']}\n\nNot trained here; put in place by {description['made_by']}."
    return "\n\n".join([head, *told]) + "\n"


def _front_matter(description: Description) -> str:
    """What Hugging Face reads of a model."""
    licence, backbone = description["licence"], description["architecture"]["backbone"]
    lines = ["---", f"license: {SPDX.get(licence, 'other')}"]
    if licence not in SPDX:
        lines.append(f"license_name: {json.dumps(licence, ensure_ascii=False)}")
    if "." in backbone:  # timm names published weights so, and the hub has those of both kinds of GELU under one name
        lines.append(f"base_model: timm/{backbone.replace('_quickgelu', '')}")
    tags = ["ai-generated-image-detection", "image-forensics", "arxiv:2505.14359"]
    return "\n".join(
        [*lines, "library_name: dda", "pipeline_tag: image-classification", f"tags: {json.dumps(tags)}", "---"]
    )


def _summary(description: Description) -> str:
    seen, lora = description["preprocessing"], description["adapter"]
    adapted = f", adapted by LoRA of rank {lora['rank']} and alpha {lora['alpha']:g}" if lora else ""
    dora = " with magnitudes learnt apart (DoRA)" if lora and lora.get("dora") else ""
    return f"""# Detector {description["name"]}

Tells generated images from real ones: `{description["architecture"]["backbone"]}`{adapted}{dora}, with one output, the
logit of "fake"; above 0 an image is called fake. Made by {description["made_by"]}.

It sees the central {seen["input_px"]} x {seen["input_px"]} pixels, never resized; smaller images are padded with black.
Normalised by mean {seen["mean"]} and std {seen["std"]}."""


def _use(description: Description) -> str:
    adapter = ", the adapter added in; `adapter/` is the adapter alone, as peft reads it"
    files = f"`model.safetensors` holds all weights{adapter if description['adapter'] else ''}."
    return f"""```python
from PIL import Image
from dda import Detector
print(Detector.load("DIR").predict([Image.open("photo.jpg")]))
```

```sh
dda detect photo.jpg --model DIR
```

{files}
`detector.json` says all that a program needs to know."""


def _data(description: Description) -> str:
    if "source" in description:
        return _source(description["source"])
    sets = description.get("data") or {}
    told = [f"- {name}: {_facts(facts)}" for name, facts in sets.items()]
    if not told:
        return "Not stated."
    return "Aligned pairs of real photos and of their reconstructions by these VAEs:\n\n" + "\n".join(told)


def _source(source: Mapping[str, Any]) -> str:
    """Where imported weights come from, and what their authors say they saw."""
    is_authors = source["bytes"] == N_BYTES and source["sha256"].startswith(SHA256_BEGINS)
    verdict = "file is that one, by both" if is_authors else "is another file, of which nothing is known here"
    return f"""Imported from `{source["file"]}`: {source["bytes"]:,} bytes, sha256 `{source["sha256"]}`.

The authors of Dual Data Alignment (arXiv:2505.14359) published `{FILE}`, {N_BYTES:,} bytes, with a sha256 that begins
with {SHA256_BEGINS}; this {verdict}. By the paper theirs was trained on the photos of COCO train2017 and their
reconstructions by the VAE of Stable Diffusion 2.1, aligned in pixels and frequencies, and its state was chosen by
accuracy on the test benchmarks themselves."""


def _training(description: Description) -> str:
    settings, selected = description.get("training"), description.get("selected")
    if not settings:
        return "Not known: the weights were imported."
    told = "\n".join(f"- {name}: {_shown(value)}" for name, value in settings.items())
    return f"{told}\n\nSelected on the validation split: {_facts(selected)}." if selected else told


def _calibration(calibration: Mapping[str, Any]) -> str:
    temperature, thresholds = calibration["temperature"], calibration["thresholds"]
    told = [
        "Not calibrated: the sigmoid of the logit is no probability that one could bet on."
        if temperature is None
        else f"Temperature {temperature:.4g}: the sigmoid of logit / temperature is the probability of fake."
    ]
    if thresholds:
        rows = [f"| {float(rate):.0%} | {logit:+.3f} |" for rate, logit in thresholds.items()]
        told.append("\n".join(["| reals called fake | threshold of the logit |", "| ---: | ---: |", *rows]))
    if calibration.get("fitted_on"):
        told.append(f"Fitted on: {_facts(calibration['fitted_on'])}. Elsewhere both may be off.")
    return "\n\n".join(told)


def _licences(description: Description) -> str:
    data = "COCO's annotations are CC BY 4.0, its photos have licences of their own (Flickr's terms)"
    if "source" not in description:
        data = "the photos and the VAEs that made the pairs have terms of their own"
    return f"""- code: Apache-2.0 (dda)
- weights: {description["licence"]}
- data: {data}

No licence is granted here that others would have to give."""


def _facts(facts: Any) -> str:
    """`epochs 3, lr 0.001`; numbers with six digits, parts of parts as JSON."""
    if not isinstance(facts, Mapping):
        return str(facts)
    return ", ".join(f"{name} {_shown(value)}" for name, value in facts.items())


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


KINDS = {
    "onnx": "An ONNX file of others, run by onnxruntime.",
    "pyfunc": "A model of others in MLflow's own form.",
    "callable": "A Python function of others; nothing of it lies here.",
    "rigid": "RIGID (arXiv:2405.20112): how much the frozen features of a network move under a little noise.",
    "metadata": "A baseline that sees no pixel. It is fitted on the very benchmark that it judges, out of fold: what "
    "anybody gets there from the files alone. It is no detector of generated images.",
}
LIMITS = """\
- It has learnt the traces of the VAEs above. Of other generators, and of edits, it may know nothing.
- Screenshots, social media and strong compression wipe out traces. Of large images it sees the centre only.
- A single score is no proof. Do not accuse anybody by it."""
