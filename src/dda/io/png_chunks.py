"""A PNG without the chunks that say nothing of its pixels: Pillow gives up on one whose texts are too long for it."""

import struct

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEFT_OUT = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def without_text(content: bytes) -> bytes:
    """The same file without texts and colour profile; what is no PNG, or is a broken one, as it is from there on."""
    if not content.startswith(SIGNATURE):
        return content
    kept, place = [SIGNATURE], len(SIGNATURE)
    while place + 12 <= len(content):
        (n_bytes,) = struct.unpack_from(">I", content, place)
        end = place + 12 + n_bytes
        if content[place + 4 : place + 8] not in LEFT_OUT:
            kept.append(content[place:end])
        place = end
    return b"".join(kept) + content[place:]
