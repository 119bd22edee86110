"""The report in a real browser: it renders on a phone and on a desktop, asks nobody for anything, and says no error."""

import pytest

pytestmark = pytest.mark.browser
PAGES = ("index.html", "leaderboard.html", "benchmarks/genimage.html", "audit-tiny.html")


@pytest.mark.parametrize("width_px", [360, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_screen_and_asks_nobody(browser, reported, name, width_px):
    params, folder = reported
    said, asked = [], []
    page = browser.new_page(viewport={"width": width_px, "height": 800})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.partition(",")[0]))
    page.goto((folder / params.paths.reports / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert said == []
    assert [url for url in asked[1:] if not url.startswith("data:")] == []
    page.close()
