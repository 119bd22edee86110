"""What programs that generate images write into their files: a table, a row per place and program.

Whoever writes such a file can leave a mark out or forge it, and most services strip it: a mark is a fact about a file,
not about how its pixels were made.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """`where`: the places that are searched, as `io.provenance.texts` names them; `pattern`: a regular expression."""

    program: str
    where: tuple[str, ...]
    pattern: str


WEB_UI = "Stable Diffusion web UI (AUTOMATIC1111, Forge)"
COMMENTS = ("exif:UserComment", "exif:ImageDescription", "jpeg:comment")
MARKS = (
    Mark(WEB_UI, ("png:parameters", *COMMENTS), r"\bSteps: \d{1,5}, (Sampler|CFG scale|Seed|Size): "),
    Mark("Fooocus", ("png:parameters", "png:Comment", *COMMENTS), r"\bFooocus v?\d"),
    Mark("Fooocus", ("png:fooocus_scheme",), r"fooocus|a1111"),
    Mark("SwarmUI", ("png:parameters", *COMMENTS), r'"sui_image_params"'),
    Mark("ComfyUI", ("png:prompt", "exif:Make", "exif:Model", *COMMENTS), r'"class_type"\s{0,9}:'),
    Mark("ComfyUI", ("png:workflow", "exif:Make", "exif:Model", *COMMENTS), r'"last_node_id"|"nodes"\s{0,9}:'),
    Mark("InvokeAI", ("png:invokeai_metadata", "png:invokeai_graph", "png:sd-metadata", "png:Dream"), r"\S"),
    Mark("NovelAI", ("png:Software", "png:Source", "png:Title", "exif:Software"), r"\bNovelAI\b"),
    Mark("Midjourney", ("png:Description", "xmp", *COMMENTS), r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-"),
    Mark("Draw Things", ("xmp", "png:Software", "exif:Software"), r"\bDraw Things\b"),
    Mark("Adobe Firefly", ("xmp", "exif:Software"), r"\bAdobe Firefly\b"),
    Mark("Google AI", ("iptc", "xmp", *COMMENTS), r"\bMade with Google AI\b"),
    Mark("Google AI, as an editor", ("iptc", "xmp", *COMMENTS), r"\bEdited with Google AI\b"),
    Mark(
        "a service that labels generated content by the Chinese standard GB 45438",
        ("png:AIGC", "xmp", *COMMENTS),
        r'^\s{0,9}\{\s{0,9}"Label"|\bAIGC\b.{0,40}(Label|ContentProducer)',
    ),
)
GENERATED_SOURCES = {
    "trainedAlgorithmicMedia": "made by a generative model",
    "compositeWithTrainedAlgorithmicMedia": "put together with parts made by a generative model",
    "compositeSynthetic": "put together with synthetic parts",
    "algorithmicMedia": "made by an algorithm that was not trained on images",
}
OTHER_SOURCES = {
    "digitalCapture": "taken by a digital camera",
    "computationalCapture": "taken by a camera that computes one picture from several exposures",
    "negativeFilm": "scanned from a negative",
    "positiveFilm": "scanned from a slide",
    "print": "scanned from a print",
    "minorHumanEdits": "edited a little by a person",
    "humanEdits": "edited by a person",
    "compositeCapture": "put together from captures",
    "composite": "put together from several pictures",
    "digitalCreation": "drawn by a person with software",
    "digitalArt": "drawn by a person with software",
    "dataDrivenMedia": "drawn from data",
    "virtualRecording": "recorded from a virtual scene",
    "screenCapture": "a picture of a screen",
}
SOURCES = GENERATED_SOURCES | OTHER_SOURCES
"""IPTC's terms for where an image is from (cv.iptc.org/newscodes/digitalsourcetype) and what they mean."""
SOURCE_TYPE = re.compile(r"\bdigitalsourcetype/([A-Za-z]{3,60})")


def marks_in(texts: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Rows of the table that are found in texts (where, what stands there), as `where` and `says`; each once."""
    found = [
        {"where": where, "says": f"names {mark.program}"}
        for where, text in texts
        for mark in MARKS
        if where in mark.where and re.search(mark.pattern, text, re.DOTALL)
    ]
    return [row for number, row in enumerate(found) if row not in found[:number]]


def source_types(text: str) -> list[str]:
    """IPTC's terms that a text names, each once, in their order; only those that are known."""
    return [term for term in dict.fromkeys(SOURCE_TYPE.findall(text)) if term in SOURCES]
