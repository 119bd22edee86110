"""The page in a real browser: what people do with it, on a phone, by keyboard, with bad files, and what it asks for."""

import csv
import io
import json

import pytest

from tests.page_server import PHOTOS, encoded, fitted_detector, running

pytestmark = pytest.mark.browser
DROP = """async ([name, kind, encoded]) => {
  const content = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([content], name, { type: kind }));
  const event = { dataTransfer: transfer, bubbles: true, cancelable: true };
  const zone = document.getElementById("zone");
  zone.dispatchEvent(new DragEvent("dragover", event));
  zone.dispatchEvent(new DragEvent("drop", event));
}"""
PASTE = DROP.replace('zone.dispatchEvent(new DragEvent("dragover", event));', "").replace(
    'zone.dispatchEvent(new DragEvent("drop", event));',
    'document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));',
)
BOXES = """[".original", ".overlay"].map((name) => {
  const [image, stage] = [name, ".stage"].map((one) => document.querySelector(one).getBoundingClientRect());
  return [image.top - stage.top, image.left - stage.left, image.width, image.height];
})"""
HIT = "(element) => { const box = element.getBoundingClientRect(); return [box.width, box.height]; }"


@pytest.fixture(scope="module")
def detector(tmp_path_factory, one_thread):
    return fitted_detector(tmp_path_factory.mktemp("detector") / "small")


@pytest.fixture(scope="module")
def address(detector):
    with running(detector, image_bytes=1_000_000, image_pixels=1_000_000) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def open_page(browser, address):
    """Opens the page with a context's settings; at the end the console is silent, and nobody else was asked."""
    contexts, said, asked = [], [], []

    def opened(**settings):
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.locator("#model-name", has_text="calibrated").wait_for(state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {url for url in asked if not url.startswith((address, "data:", f"blob:{address}"))} == set()


def files(*images):
    return [{"name": name, "mimeType": "image/jpeg", "buffer": content} for name, content in images]


def choose(page, *images):
    """Choose files, and wait until all are answered."""
    before = page.locator(".card").count()
    page.set_input_files("#files", files(*images))
    done(page, before + len(images))


def done(page, n_cards):
    page.locator(f"#status:text-matches('^Done. {n_cards} image')").wait_for(state="attached")


def shown(page, number=0):
    """Verdict's word, percentage of the gauge, and sentence of a card."""
    card = page.locator(".card").nth(number)
    value = card.locator(".meter").get_attribute("aria-valuenow")
    return card.locator(".words").inner_text(), float(value or "nan"), card.locator(".sentence").inner_text()


def saved(page, button):
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.path().read_text("utf-8")


WORDS = {"real": "Looks real", "uncertain": "Uncertain", "generated": "Looks generated"}


def test_what_the_page_says_is_what_python_says(open_page, detector):
    contents = [encoded(photo) for photo in PHOTOS]
    page = open_page(accept_downloads=True)
    choose(page, *[(f"{number}.jpg", content) for number, content in enumerate(contents)])
    for views, max_fpr in (("centre", None), ("tiles", 0.01)):
        if max_fpr:
            page.select_option("#views", views)
            page.select_option("#strictness", str(max_fpr))
            page.click("#again")
            page.locator("#summary", has_text=": ").wait_for()
            done(page, 3)
        wanted = detector.predict(contents, views=views, max_fpr=max_fpr)
        found = json.loads(saved(page, "#json"))["images"]
        assert [row["file"] for row in found] == ["0.jpg", "1.jpg", "2.jpg"]
        assert [row["logit"] for row in found] == pytest.approx([one.logit for one in wanted], abs=1e-4)
        assert [row["probability"] for row in found] == pytest.approx([one.probability for one in wanted], abs=1e-4)
        assert [shown(page, number)[0] for number in range(3)] == [WORDS[one.verdict] for one in wanted]
        assert [shown(page, number)[1] for number in range(3)] == pytest.approx(
            [100 * one.probability for one in wanted], abs=0.051
        )
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(saved(page, "#csv")))] == [x.verdict for x in wanted]


@pytest.mark.parametrize("way", [DROP, PASTE])
def test_an_image_can_be_dropped_and_pasted(open_page, detector, way):
    import base64

    content = encoded(PHOTOS[0])
    page = open_page()
    page.evaluate(way, ["dropped.jpg", "image/jpeg", base64.b64encode(content).decode()])
    done(page, 1)
    (wanted,) = detector.predict(content)
    assert shown(page)[:2] == (WORDS[wanted.verdict], pytest.approx(100 * wanted.probability, abs=0.051))
    assert page.locator(".file").inner_text().startswith("dropped.jpg")


def test_bad_files_get_a_friendly_sentence_each_and_the_others_their_verdict(open_page):
    page = open_page(accept_downloads=True)
    whole = encoded(PHOTOS[0])
    choose(
        page,
        ("letter.jpg", b"no image"),
        ("empty.jpg", b""),
        ("half.jpg", whole[: len(whole) // 2]),
        ("wide.jpg", encoded(PHOTOS[0].resize((1200, 1200)))),
        ("long.jpg", bytes(1_000_001)),
        ("=cmd|'/c calc'!A1.jpg", whole),
    )
    sentences = [shown(page, number)[2] for number in range(6)]
    for sentence, told in zip(
        sentences, ["no image", "empty", "damaged", "too large", "too large", "chance"], strict=True
    ):
        assert told in sentence
    assert [shown(page, number)[0] for number in range(5)] == ["No verdict"] * 5
    assert page.locator("#summary").inner_text().startswith("6 images: ")
    assert "5 without a verdict" in page.locator("#summary").inner_text()
    assert "'=cmd|" in saved(page, "#csv")


def test_names_and_facts_of_files_are_shown_as_text(open_page):
    page = open_page()
    name = "<img src=x onerror=alert(1)>.jpg"
    choose(page, (name, encoded(PHOTOS[0], comment="<script>alert(2)</script>")))
    assert page.locator(".file").inner_text().startswith(name)
    assert page.locator(".card script, .file img").count() == 0


@pytest.mark.parametrize("width_px", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_screen(open_page, width_px, scheme, tmp_path):
    page = open_page(viewport={"width": width_px, "height": 800}, color_scheme=scheme)
    choose(page, ("x" * 150 + ".jpg", encoded(PHOTOS[1])), ("letter.jpg", b"no image"))
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    for control in page.locator("button:visible, select:visible, label.check:visible, summary:visible").all():
        assert control.evaluate(HIT)[1] >= 24
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(14, 19, 28)") == (scheme == "dark")
    page.screenshot(path=tmp_path / "page.png", full_page=True)


def test_the_heatmap_lies_over_the_image_and_fades(open_page):
    page = open_page()
    choose(page, ("a.jpg", encoded(PHOTOS[0])))
    overlay = page.locator(".overlay")
    assert overlay.evaluate("(image) => image.naturalWidth") == 512
    assert page.evaluate(BOXES)[0] == pytest.approx(page.evaluate(BOXES)[1], abs=1)
    strengths = []
    for value in ("100", "30"):
        page.locator(".heat-strength").fill(value)
        strengths.append(float(overlay.evaluate("(image) => getComputedStyle(image).opacity")))
    page.locator(".heat-on").uncheck()
    strengths.append(float(overlay.evaluate("(image) => getComputedStyle(image).opacity")))
    assert strengths == pytest.approx([1, 0.3, 0])
    assert page.locator(".legend").inner_text().split("\n") == ["nearer to real", "nearer to generated"]
    page.uncheck("#heatmap")
    page.uncheck("#facts")
    page.click("#again")
    done(page, 1)
    assert not page.locator(".heat").is_visible()
    assert not page.locator(".facts").is_visible()


def test_everything_can_be_done_by_keyboard(open_page):
    page = open_page()
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert reached[:6] == ["skip", "files", "views", "strictness", "heatmap", "facts"]
    page.focus("#files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(files(("a.jpg", encoded(PHOTOS[0]))))
    done(page, 1)
    assert page.evaluate("document.activeElement.id") == "results"
    for wanted in ("csv", "json", "clear"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == wanted
    page.keyboard.press("Enter")
    assert page.locator(".card").count() == 0
    assert page.evaluate("document.activeElement.id") == "files"


def test_a_screen_reader_hears_it(open_page):
    page = open_page(reduced_motion="reduce")
    choose(page, ("a.jpg", encoded(PHOTOS[0])))
    assert page.evaluate("[...document.images].every((image) => image.hasAttribute('alt'))")
    for role in ("banner", "main", "contentinfo", "status", "meter"):
        assert page.get_by_role(role).count() >= 1
    meter = page.get_by_role("meter", name="Chance that this image was generated, by the detector")
    assert "Uncertain from 20\u00a0% to 80\u00a0%" in meter.get_attribute("aria-valuetext")
    assert page.get_by_role("img", name="Heatmap of a.jpg").count() == 1
    unnamed = "[...document.querySelectorAll('input, select')].filter((one) => !one.labels.length).length"
    assert page.evaluate(unnamed) == 0
    assert page.evaluate("document.getAnimations().length") == 0


def test_cautions_are_said_before_anything_is_asked(open_page):
    page = open_page()
    assert "calibrated on only 15 real" in page.locator("#cautions").inner_text()
    assert page.locator("#private").inner_text() == "Nothing leaves this machine"


def test_a_server_that_went_away_is_told(browser, detector):
    with running(detector) as port:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#model-name", has_text="calibrated").wait_for(state="attached")
    page.set_input_files("#files", files(("a.jpg", encoded(PHOTOS[0]))))
    done(page, 1)
    assert "Is it still running" in shown(page)[2]
    page.close()
