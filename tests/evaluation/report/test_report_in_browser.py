"""The page in headless Chromium: what a reviewer does with it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from difffake.evaluation.report.write import write_report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e '.[dev]'")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: install Debian's packages chromium and chromium-driver"
)
HEADLINE = "#results ~ .table:not(.published) table"


@pytest.fixture(scope="module")
def browser() -> Iterator["webdriver.Chrome"]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report([run], out)
    return out.as_uri()


@pytest.fixture
def opened(browser: "webdriver.Chrome", page: str) -> "webdriver.Chrome":
    sized(browser, 1280)
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page)
    return browser


def sized(browser: "webdriver.Chrome", width: int, dark: bool = False) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def column(browser: "webdriver.Chrome", number: int) -> list[str]:
    """The cells of a column of the first table that are shown."""
    return browser.execute_script(
        f"return [...document.querySelector('{HEADLINE}').tBodies[0].rows].filter(row => !row.hidden)"
        f".map(row => row.cells[{number}].textContent.trim())"
    )


def sorted_by(browser: "webdriver.Chrome", number: int) -> str:
    return browser.execute_script(f"return document.querySelector('{HEADLINE}').tHead.rows[0].cells[{number}].ariaSort")


def click(browser: "webdriver.Chrome", number: int) -> None:
    browser.find_elements("css selector", f"{HEADLINE} th button")[number].click()


def test_no_error_no_request_and_every_picture_is_there(opened: "webdriver.Chrome", run: Path) -> None:
    assert opened.get_log("browser") == []
    requests = [
        entry["message"] for entry in opened.get_log("performance") if "Network.requestWillBeSent" in entry["message"]
    ]
    assert all('"url":"file:' in request or '"url":"data:' in request for request in requests)
    sizes = opened.execute_script("return [...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(sizes) == len(list(run.glob("*.png"))) > 0
    assert all(sizes)


def test_a_click_on_a_header_sorts_and_another_turns_it_around(opened: "webdriver.Chrome") -> None:
    auc = column(opened, 2)
    values = [float(text.split()[0]) for text in auc]
    assert values != sorted(values, reverse=True)
    assert sorted_by(opened, 2) == "none"
    click(opened, 2)
    assert [float(text.split()[0]) for text in column(opened, 2)] == sorted(values, reverse=True)
    assert sorted_by(opened, 2) == "descending"
    click(opened, 2)
    assert [float(text.split()[0]) for text in column(opened, 2)] == sorted(values)
    assert (sorted_by(opened, 2), sorted_by(opened, 0)) == ("ascending", "none")
    click(opened, 0)
    assert column(opened, 0) == sorted(column(opened, 0), key=str.lower)
    assert (sorted_by(opened, 0), sorted_by(opened, 2)) == ("ascending", "none")


def test_the_keyboard_sorts_too(opened: "webdriver.Chrome") -> None:
    button = opened.find_elements("css selector", f"{HEADLINE} th button")[0]
    button.send_keys("\ue007")  # Enter
    assert sorted_by(opened, 0) == "ascending"
    button.send_keys(" ")
    assert sorted_by(opened, 0) == "descending"


def test_cells_without_a_value_stay_last(opened: "webdriver.Chrome") -> None:
    opened.execute_script(f"document.querySelector('{HEADLINE}').tBodies[0].rows[0].cells[2].textContent = '-'")
    for _ in range(2):
        click(opened, 2)
        assert column(opened, 2)[-1] == "-"


def test_the_filter_shows_rows_with_all_its_words(opened: "webdriver.Chrome") -> None:
    everything = column(opened, 0)
    field = opened.find_element("id", "filter")
    field.send_keys("celeb anomaly")
    assert column(opened, 0) == ["Celeb-DF"]
    shown, of = opened.find_element("id", "count").text.removesuffix(" rows").split(" of ")
    assert 0 < int(shown) < int(of)
    field.send_keys("\ue00c")  # Escape
    assert column(opened, 0) == everything
    assert opened.find_element("id", "count").text == ""


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_screen_needs_no_scrolling_sideways(opened: "webdriver.Chrome", dark: bool) -> None:
    sized(opened, 400, dark)
    for part in opened.find_elements("css selector", "details"):
        opened.execute_script("arguments[0].open = true", part)
    page = "document.documentElement"
    assert opened.execute_script(f"return [{page}.scrollWidth <= {page}.clientWidth, innerWidth]") == [True, 400]
    light, ink = opened.execute_script(
        "const style = getComputedStyle(document.body);"
        "return [style.backgroundColor, style.color].map(text => Number(text.match(/\\d+/)[0]))"
    )
    assert (light < ink) == dark


def test_printing_opens_what_is_closed_and_closes_it_again(opened: "webdriver.Chrome") -> None:
    closed = "return document.querySelectorAll('details:not([open])').length"
    before = opened.execute_script(closed)
    assert before > 0
    opened.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert opened.execute_script(closed) == 0
    opened.execute_script("dispatchEvent(new Event('afterprint'))")
    assert opened.execute_script(closed) == before
