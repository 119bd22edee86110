"""What OpenAPI says of `POST /api/detect`, whose body is read by hand, piece by piece."""

from typing import Any

from dda.core.verdicts import COLUMNS

TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
LOGIT = {**NUMBER, "description": "as a logit"}
MAYBE_TEXT = {"type": ["string", "null"]}
MAYBE_NUMBER = {"type": ["number", "null"]}
VERDICTS = {"type": "string", "enum": ["real", "uncertain", "generated", "unreadable"]}
KINDS: dict[str, Any] = {
    "path": {"type": "null", "description": "names of files are not kept; rows come in the order of the files"},
    "verdict": VERDICTS,
    "probability": {**MAYBE_NUMBER, "description": "of `generated`, from 0 to 1; null where unreadable"},
    "logit": {**MAYBE_NUMBER, "description": "the mean over the windows that were looked at"},
    **dict.fromkeys(("threshold", "uncertain_from", "uncertain_to"), LOGIT),
    "calibrated": FLAG,
    "views": TEXT,
    **dict.fromkeys(("seen", "width", "height"), MAYBE_NUMBER),
    "notes": {"type": "array", "items": TEXT},
    **dict.fromkeys(("format", "error"), MAYBE_TEXT),
}
ROW = {
    "type": "object",
    "required": [*COLUMNS, "gauge"],
    "properties": {
        **{name: KINDS[name] for name in COLUMNS},
        "gauge": {
            "type": "object",
            "description": "the limits as probabilities",
            "properties": dict.fromkeys(("threshold", "uncertain_from", "uncertain_to"), NUMBER),
        },
        "facts": {"type": ["object", "null"], "description": "facts of the file, where asked for"},
        "heatmap": {
            "type": ["object", "null"],
            "properties": {"image": {**TEXT, "description": "data: address of a PNG"}, "tiles": {"type": "array"}},
        },
    },
}
ANSWER = {
    "type": "object",
    "required": ["model", "images"],
    "properties": {"model": TEXT, "images": {"type": "array", "items": ROW}},
}
FORM = {
    "type": "object",
    "required": ["images"],
    "properties": {
        "images": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "views": {"type": "string", "enum": ["centre", "five", "tiles"], "default": "centre"},
        "max_fpr": {**NUMBER, "description": "one of the rates that `/api/model` names"},
        "heatmap": {**FLAG, "default": False},
        "facts": {**FLAG, "default": False},
    },
}
REQUEST: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}},
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {**TEXT, "description": "a sentence"}}}
REFUSALS = {
    403: "sent by a page of another site",
    408: "too slow",
    413: "larger, or more images, than the limits allow",
    421: "sent to a host that is not this server's name",
    422: "no such question",
    503: "no room now: try again after `Retry-After` seconds",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "a row for each image, in their order", "content": {"application/json": {"schema": ANSWER}}},
    **{
        status: {"description": told, "content": {"application/json": {"schema": ERROR}}}
        for status, told in REFUSALS.items()
    },
}
