"""What files declare of their origin: found where it stands, never believed."""

import pytest

from dda.io.provenance import cbor_text, declared
from tests import marked
from tests.marked import SIGNED_BY, XMP, png_with, saved

STORE = marked.credentials()
WEB_UI = "a cup of coffee\nNegative prompt: tea\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
GRAPH = '{"3": {"inputs": {"seed": 1}, "class_type": "KSampler"}}'
FIREFLY = '<x:xmpmeta xmp:CreatorTool="Adobe Firefly"/>'


def says(content, **exif):
    return [row["says"] for row in declared(content, exif)["generator"]]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "avif"])
def test_content_credentials_are_read_where_each_format_keeps_them(kind):
    found = declared(getattr(marked, f"signed_{kind}")(STORE), {})
    assert found["c2pa"]["generator"] == SIGNED_BY
    assert {"c2pa", "c2pa.assertions", "c2pa.actions", "c2pa.claim"} <= set(found["c2pa"]["labels"])
    assert found["c2pa"]["source_types"] == found["source_types"] == ["trainedAlgorithmicMedia"]
    assert found["c2pa"]["verified"] is False
    assert says(getattr(marked, f"signed_{kind}")(STORE)) == [
        "declares it made by a generative model (trainedAlgorithmicMedia)"
    ]


def test_the_name_in_a_newer_claim_is_read_too():
    content = marked.signed_png(marked.credentials(key="claim_generator_info"))
    assert declared(content, {})["c2pa"]["generator"] == SIGNED_BY


def test_a_photo_with_credentials_of_a_camera_speaks_of_no_generator():
    found = declared(marked.signed_jpeg(marked.credentials("digitalCapture")), {})
    assert found["source_types"] == ["digitalCapture"]
    assert found["generator"] == []


def test_other_boxes_are_no_credentials():
    assert declared(marked.signed_png(marked.described("some.other")), {})["c2pa"] is None


def test_the_source_type_of_xmp_is_read_in_jpeg_png_webp_and_avif():
    packet = (XMP % "compositeWithTrainedAlgorithmicMedia").encode()
    files = [saved(kind, xmp=packet) for kind in ("JPEG", "WEBP", "AVIF")]
    files.append(png_with(**{"XML:com.adobe.xmp": packet.decode()}))
    assert [declared(one, {})["source_types"] for one in files] == [["compositeWithTrainedAlgorithmicMedia"]] * 4


def test_a_source_type_that_nobody_knows_is_left_out():
    assert declared(saved("JPEG", xmp=(XMP % "nonsense").encode()), {})["source_types"] == []


@pytest.mark.parametrize(
    ("texts", "program"),
    [
        ({"parameters": WEB_UI}, "Stable Diffusion web UI (AUTOMATIC1111, Forge)"),
        ({"prompt": GRAPH}, "ComfyUI"),
        ({"workflow": '{"last_node_id": 9, "nodes": []}'}, "ComfyUI"),
        ({"invokeai_metadata": '{"app_version": "5.0"}'}, "InvokeAI"),
        ({"Software": "NovelAI", "Source": "Stable Diffusion 1234"}, "NovelAI"),
        ({"fooocus_scheme": "fooocus"}, "Fooocus"),
        ({"Description": "a cup --v 6 Job ID: 0a1b2c3d-0000-4000-8000-000000000000"}, "Midjourney"),
        ({"XML:com.adobe.xmp": FIREFLY}, "Adobe Firefly"),
        ({"AIGC": '{"Label": "1", "ContentProducer": "x"}'}, "a service that labels generated content by"),
    ],
)
def test_a_generators_text_chunks_are_known(texts, program):
    (found,) = says(png_with(**texts))
    assert found.startswith(f"names {program}")


@pytest.mark.parametrize(
    ("tag", "text", "program"),
    [
        ("UserComment", WEB_UI, "Stable Diffusion web UI (AUTOMATIC1111, Forge)"),
        ("Model", "prompt:" + GRAPH, "ComfyUI"),
        ("Software", "NovelAI", "NovelAI"),
    ],
)
def test_a_generators_exif_tags_are_known(tag, text, program):
    assert says(saved("JPEG"), **{tag: text}) == [f"names {program}"]


def test_the_credit_of_google_is_found_in_iptc_data():
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x18\x1c\x02\x6e\0\x13Made with Google AI"
    plain = saved("JPEG")
    segment = b"\xff\xed" + (2 + len(iptc)).to_bytes(2, "big") + iptc
    assert says(plain[:2] + segment + plain[2:]) == ["names Google AI"]


@pytest.mark.parametrize("text", ["Steps: walk to the door, then knock", "A job. ID: none", "painted by me", ""])
def test_words_of_people_are_no_marks(text):
    assert says(png_with(parameters=text, Description=text, Comment=text), ImageDescription=text) == []


def test_a_mark_is_told_once():
    assert len(says(png_with(prompt=GRAPH + GRAPH))) == 1


def test_text_in_cbor_is_read_however_its_length_is_written():
    assert [cbor_text(head + b"abcdef") for head in (b"\x63", b"\x78\x03", b"\x79\x00\x03")] == [b"abc"] * 3
    assert cbor_text(b"") == b""
