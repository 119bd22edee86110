"""Who says that they made an image: Content Credentials (C2PA), XMP, and marks of generators in a file's metadata.

Nothing is verified: signatures are not checked, and text can be written by anybody.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from dda.core import containers, marks
from dda.core.containers import Part, line

MAX_SEARCHED_BYTES = 2_000_000
MAX_LABELS = 40
XMP_OF_JPEG, XMP_OF_PNG = b"http://ns.adobe.com/xap/1.0/\0", "XML:com.adobe.xmp"
C2PA_OF_BOXES = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The extended type of the `uuid` box of ISO media (C2PA specification 2.1, A.5)."""


def declared(content: bytes, exif: Mapping[str, str]) -> dict[str, Any]:
    """What a file declares of its origin; `exif` is text by the names of EXIF tags. Never raises.

    `c2pa`: None, or `generator` (the program that signed), `labels` (of its assertions), `source_types`, `verified`
    (always false); `source_types`: of XMP and C2PA; `generator`: rows `where` and `says` of what speaks of generation.
    """
    parts = list(containers.parts(content))
    texts = [*texts_of(parts, content), *((f"exif:{name}", text) for name, text in exif.items())]
    c2pa = credentials(parts)
    terms = [("xmp", term) for where, text in texts if where == "xmp" for term in marks.source_types(text)]
    terms += [("c2pa", term) for term in (c2pa or {}).get("source_types", [])]
    generator = marks.marks_in(texts) + [
        {"where": where, "says": f"declares it {marks.GENERATED_SOURCES[term]} ({term})"}
        for where, term in dict.fromkeys(terms)
        if term in marks.GENERATED_SOURCES
    ]
    return {"c2pa": c2pa, "generator": generator, "source_types": list(dict.fromkeys(term for _, term in terms))}


def texts_of(parts: Sequence[Part], content: bytes) -> list[tuple[str, str]]:
    """Where text stands in a file, and what: `png:` and its keyword, `xmp`, `iptc`, `jpeg:comment`."""
    found = []
    for name, payload in parts:
        if name == "APP1" and payload.startswith(XMP_OF_JPEG):
            found.append(("xmp", payload[len(XMP_OF_JPEG) :]))
        elif name == "XMP ":
            found.append(("xmp", payload))
        elif name == "APP13":
            found.append(("iptc", payload))
        elif name == "COM":
            found.append(("jpeg:comment", payload))
    texts = [(where, payload[:MAX_SEARCHED_BYTES].decode("utf-8", "replace")) for where, payload in found]
    pairs = [pair for name, payload in parts if (pair := containers.png_text(name, payload))]
    texts += [("xmp" if keyword == XMP_OF_PNG else f"png:{keyword}", text) for keyword, text in pairs]
    if content[4:8] == b"ftyp" and (start := content.find(b"<x:xmpmeta")) >= 0:  # an item somewhere among the pixels
        packet = content[start : start + MAX_SEARCHED_BYTES].split(b"</x:xmpmeta>")[0]
        texts.append(("xmp", packet.decode("utf-8", "replace")))
    return texts


def credentials(parts: Sequence[Part]) -> dict[str, Any] | None:
    """What a C2PA manifest store says, None where there is none; the labels are those of all its manifests."""
    found = list(containers.boxes(store(parts)))
    labels = [label for name, payload in found if name == "jumd" and (label := _label(payload))]
    if not any(label.startswith("c2pa") for label in labels):
        return None
    said = b"".join(payload for name, payload in found if name in ("cbor", "json"))[:MAX_SEARCHED_BYTES]
    return {
        "generator": claim_generator(said),
        "labels": list(dict.fromkeys(labels))[:MAX_LABELS],
        "source_types": marks.source_types(said.decode("latin-1")),
        "verified": False,
    }


def store(parts: Sequence[Part]) -> bytes:
    """The JUMBF boxes of a file's manifest store: APP11 of JPEG in pieces, `caBX` of PNG, `C2PA` of WebP, `uuid`."""
    pieces: dict[bytes, list[bytes]] = defaultdict(list)
    for name, payload in parts:
        if name in ("caBX", "C2PA"):
            return payload
        if name == "uuid" and payload.startswith(C2PA_OF_BOXES):
            return payload[max(0, payload.find(b"jumb") - 4) :]
        if name == "APP11" and payload[:2] == b"JP":  # number of the box, number of the piece; each repeats its head
            pieces[payload[2:4]].append(payload[8:] if payload[2:4] not in pieces else payload[16:])
    return b"".join(piece for several in pieces.values() for piece in several)


def _label(description: bytes) -> str | None:
    """The label of a JUMBF description box: after 16 bytes of type and a byte of flags, up to a zero."""
    if len(description) < 18 or not description[16] & 2:
        return None
    return line(description[17:].split(b"\0")[0])


def claim_generator(claims: bytes) -> str | None:
    """The program named by the first claim in CBOR: `claim_generator`, or the name in `claim_generator_info`."""
    plain = re.search(rb"\x6fclaim_generator(?=[\x60-\x79])", claims)
    named = plain or re.search(rb"\x74claim_generator_info.{0,400}?\x64name(?=[\x60-\x79])", claims, re.DOTALL)
    return line(cbor_text(claims[named.end() :])) if named else None


def cbor_text(content: bytes) -> bytes:
    """The text string at the beginning (RFC 8949, major type 3), or what there is of it."""
    short = content[0] & 0x1F if content else 0
    n_length = {24: 1, 25: 2}.get(short, 0)
    length = int.from_bytes(content[1 : 1 + n_length], "big") if n_length else short
    return content[1 + n_length : 1 + n_length + length]
