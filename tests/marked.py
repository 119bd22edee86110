"""Image files with marks in them, made by hand: metadata of generators, XMP, Content Credentials."""

import struct
import zlib
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dda.embedded.photos import PHOTOGRAPHS, originals

COFFEE = originals(next(one for one in PHOTOGRAPHS if one.name == "coffee"))[0].convert("RGB")
SMALL = COFFEE.resize((96, 64))
SIGNED_BY = "Example Painter 2.1"
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
XMP = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{SOURCE}%s"/></rdf:RDF></x:xmpmeta>"""


def saved(kind, image=SMALL, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_with(**texts):
    """A PNG whose text chunks are these, by keyword."""
    told = PngInfo()
    for keyword, text in texts.items():
        told.add_text(keyword.replace("__", "-"), text)
    return saved("PNG", pnginfo=told)


def exif_with(**tags):
    """EXIF data with these tags by name, the inner ones among them."""
    from PIL import ExifTags

    exif = Image.Exif()
    inner = {ExifTags.Base.UserComment, ExifTags.Base.DateTimeOriginal}
    for name, value in tags.items():
        tag = ExifTags.Base[name]
        (exif.get_ifd(ExifTags.IFD.Exif) if tag in inner else exif)[tag] = value
    return exif


def box(name, *payloads):
    content = b"".join(payloads)
    return struct.pack(">I4s", 8 + len(content), name) + content


def described(label, *payloads):
    """A JUMBF superbox with its label."""
    return box(b"jumb", box(b"jumd", bytes(16), b"\x03", label.encode() + b"\0"), *payloads)


def cbor(text):
    """A text string in CBOR, shorter than 256 bytes."""
    encoded = text.encode()
    return (bytes([0x60 + len(encoded)]) if len(encoded) < 24 else bytes([0x78, len(encoded)])) + encoded


def credentials(source="trainedAlgorithmicMedia", key="claim_generator"):
    """A C2PA manifest store: one manifest, its assertion of actions and its claim, without a signature."""
    actions = described("c2pa.actions", box(b"cbor", b"\xa1", cbor("digitalSourceType"), cbor(SOURCE + source)))
    program = cbor(SIGNED_BY) if key == "claim_generator" else b"\xa1" + cbor("name") + cbor(SIGNED_BY)
    claim = described("c2pa.claim", box(b"cbor", b"\xa1", cbor(key), program))
    return described("c2pa", described("urn:uuid:1", described("c2pa.assertions", actions), claim))


def signed_png(store):
    """A PNG that carries a manifest store."""
    chunk = struct.pack(">I", len(store)) + b"caBX" + store + struct.pack(">I", zlib.crc32(b"caBX" + store))
    plain = saved("PNG")
    return plain[:33] + chunk + plain[33:]


def signed_jpeg(store, piece_bytes=100):
    """A JPEG that carries a manifest store in pieces."""
    head, body = store[:8], store[8:]
    pieces = [body[start : start + piece_bytes] for start in range(0, len(body), piece_bytes)]
    segments = [
        b"\xff\xeb" + struct.pack(">H", 18 + len(piece)) + b"JP\x00\x01" + struct.pack(">I", number) + head + piece
        for number, piece in enumerate(pieces, 1)
    ]
    plain = saved("JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def signed_webp(store):
    """A WebP that carries a manifest store."""
    plain = saved("WEBP")
    content = plain[8:] + b"C2PA" + struct.pack("<I", len(store)) + store + b"\0" * (len(store) % 2)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def signed_avif(store):
    """An AVIF that carries a manifest store."""
    purpose = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(4) + b"manifest\0" + bytes(8)
    return saved("AVIF") + box(b"uuid", purpose, store)
