"""The web page: what it answers, to two users at once."""

import json
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from drawn_clips import write_clip
from served import FACE, LIMITS, NO_HOST, Served, known
from tiny import TinyRun

from difffake import Predictor
from difffake.commands.main import main
from difffake.errors import Terminated, UserError
from difffake.faces.decoding import read_index

pytest.importorskip("gradio", reason="gradio is not installed: pip install -e '.[dev]'")

from difffake.serve.server import bound, serve
from difffake.serve.uploads import Uploads

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")


def test_two_users_at_once_get_their_own_answers(page: Served, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = 0, 0
    original = page.predictor.predict

    def slow(*arguments: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.2)
        try:
            return original(*arguments)
        finally:
            inside -= 1

    monkeypatch.setattr(page.predictor, "predict", slow)
    with ThreadPoolExecutor(4) as users:
        one, two, clip, same = users.map(
            page.check, [files / name for name in ("one.png", "two.png", "clip.mp4", "one.png")]
        )
    assert most == 1  # MediaPipe's network is used by one thread at a time
    assert "One person found" in one
    assert "2 people found" in two
    assert "The file gets the highest score of its people" in two
    assert "One person found, in 4 of 4 frames looked at" in clip
    assert "Score of each frame" in clip
    assert one.split("Checked in")[0] == same.split("Checked in")[0]
    assert clip.split("Checked in")[0] == page.check(files / "clip.mp4").split("Checked in")[0]  # the same pairs again
    score = f"{page.predictor.predict(files / 'one.png').logit:z.2f}"
    assert f"Score of the detector {score}" in one
    assert len(list(page.folder.glob("held-*"))) == 0


def test_what_the_detector_says_of_itself_is_under_each_answer(
    page: Served, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "It is weak" not in page.check(files / "one.png")
    monkeypatch.setattr(page.predictor, "about", "It is weak.")
    assert "It is weak" in page.check(files / "one.png")


def test_references_are_compared(page: Served, files: Path) -> None:
    text = page.check(files / "one.png", files / "one.png", files / "two.png")
    assert "mean of 2 comparisons" in text
    assert "compared with 2 reference pictures" in text
    assert "The file shows 2 people" in page.check(files / "two.png", files / "one.png")
    assert "Reference picture 2: no face found" in page.check(files / "one.png", files / "one.png", files / "dark.png")
    assert "Reference picture 1 is no picture" in page.check(files / "one.png", files / "clip.mp4")


def test_limits_are_said(page: Served, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "/gradio_api/upload"
    large = page.client.post(url, files={"files": ("large.png", bytes(1_200_000))})
    assert (large.status_code, large.text) == (413, "The upload is too large: 1 MB is the limit.")
    assert (
        page.client.post(url, content=iter([b"x"]), headers={"content-type": "multipart/form-data"}).status_code == 411
    )
    assert page.client.post(url, content=b"x", headers={"content-type": "multipart/form-data"}).status_code == 400
    write_clip(tmp_path / "long.mp4", [FACE] * 8, rate=1)
    assert "The clip is 7 s long, and 5 s is the limit here: cut it." in page.check(tmp_path / "long.mp4")
    monkeypatch.setattr("difffake.serve.uploads.ROOM", 0)
    assert page.client.post(url, files={"files": ("one.png", b"x")}).status_code == 503


def test_what_is_no_picture_is_refused_by_its_content(page: Served, files: Path, tmp_path: Path) -> None:
    playlist = f"#EXTM3U\n#EXTINF:1,\n{files / 'clip.mp4'}\n#EXT-X-ENDLIST\n"
    contents = {"a.mp4": playlist.encode(), "b.jpg": b"text", "c.png": b"", "d.gif": b"<svg onload='x()'/>"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert "The file is no picture and no clip that is read here" in page.check(tmp_path / name)
    (tmp_path / "cut.mp4").write_bytes((files / "clip.mp4").read_bytes()[:200])
    (tmp_path / "cut.png").write_bytes((files / "one.png").read_bytes()[:200])
    for name in ("cut.mp4", "cut.png"):
        text = page.check(tmp_path / name)
        assert text.startswith("Not checked The file ")
        assert "/" not in text.replace("and/or", "")
    assert "The file: no face found" in page.check(files / "dark.png")
    assert "One person found" in page.check(files / "clip.mp4", name="clip.jpg")  # the bytes decide


def test_an_unexpected_error_shows_nothing_of_the_machine(
    page: Served, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(f"cannot open {Path(__file__)}")

    monkeypatch.setattr(page.predictor, "predict", broken)
    text = page.check(files / "one.png")
    assert text == "Not checked This file could not be checked: it is damaged, or too large for this machine."
    assert "RuntimeError: cannot open" in capsys.readouterr().err  # whoever runs the server sees it
    monkeypatch.setattr(
        page.predictor, "predict", lambda *_: (_ for _ in ()).throw(UserError(f"{page.folder}/x is bad"))
    )
    assert page.check(files / "one.png") == "Not checked This file could not be checked."


def test_uploads_are_deleted_after_a_while(tmp_path: Path, files: Path) -> None:
    uploads = Uploads(tmp_path, LIMITS)
    with (files / "one.png").open("rb") as source:
        old, new = uploads.store(source), uploads.store(source)
    os.utime(tmp_path / old, (time.time() - 700,) * 2)
    with uploads.held(old) as path:
        uploads.delete_old()
        assert path.read_bytes() == (files / "one.png").read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == [new]
    with pytest.raises(UserError, match="drop the file again"), uploads.held(old):
        pass


def test_the_length_of_a_clip_is_that_of_its_packets(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", [FACE] * 21, rate=10)
    assert read_index(tmp_path / "clip.mp4").seconds == pytest.approx(2.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(
    tiny_run: TinyRun, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    with Predictor(tiny_run.ckpt, device="cpu", find_faces=known) as predictor, bound("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        def interrupt() -> None:
            with suppress(httpx.HTTPError):  # then the assertion below fails, instead of a test without an end
                answers.append(httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code)
            os.kill(os.getpid(), number)

        answers: list[int] = []
        threading.Thread(target=interrupt).start()
        if number == signal.SIGTERM:
            with pytest.raises(Terminated):
                serve(predictor, LIMITS, listening, "127.0.0.1")
        else:
            serve(predictor, LIMITS, listening, "127.0.0.1")
    assert answers == [200]
    said = capsys.readouterr()
    assert said.out.startswith(f"http://127.0.0.1:{port} shows the page")
    assert ("all uploads are deleted" in said.out) == (number == signal.SIGINT)
    assert said.err == ""
    assert not Path(os.environ["GRADIO_TEMP_DIR"]).exists()


def test_wrong_options_give_one_line(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def line(*options: str, status: int) -> str:
        assert main(["serve", "--ckpt", str(tiny_run.ckpt), *options]) == status
        (text,) = capsys.readouterr().err.splitlines()
        return text

    with bound("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        assert f"--port {port} of 127.0.0.1 cannot be used (Address already in use)" in line("--port", port, status=1)
    assert "out of range" in line("--port", "70000", status=2)
    assert "no address" in line("--host", NO_HOST, status=2)
    assert "at least 1" in line("--limit-mb", "0", status=2)
    monkeypatch.setattr("difffake.commands.serve.find_spec", lambda _: None)
    assert "pip install 'difffake[serve]'" in line(status=1)


def test_in_a_browser(page: Served, files: Path) -> None:
    """What a user does and sees; that the browser asks no other server; and that it fits a narrow screen."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e '.[dev]'")
    if not (CHROMIUM and DRIVER):
        pytest.skip("no browser: install Debian's packages chromium and chromium-driver")
    from selenium.webdriver.support.wait import WebDriverWait

    options = webdriver.ChromeOptions()
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)) as browser:

        def until(words: str, place: str) -> str:
            def there(_: Any) -> bool:
                found = browser.find_elements("id", place)
                return bool(found) and words in found[0].text

            WebDriverWait(browser, 60).until(there)
            return browser.find_element("id", place).text

        def drop(file: Path) -> None:
            browser.find_element("css selector", "#probe input[type=file]").send_keys(str(file))
            until(file.stem, "probe")

        browser.get(page.url)
        until("Drop File Here", "probe")
        text = browser.find_element("tag name", "body").text
        assert "five of six alarms are false" in text
        assert "At most 1 MB and 5 s" in text
        drop(files / "two.png")
        browser.find_element("id", "check").click()
        text = until("2 people found", "result")
        assert "What it does not mean." in text
        pictures = browser.execute_script(
            "return [...document.querySelectorAll('#result img')].map(i => i.naturalWidth)"
        )
        assert len(pictures) == 4  # of each person the face, and its activation map
        assert min(pictures) > 0
        assert len(browser.find_elements("css selector", "#result svg rect.box")) == 2
        browser.find_element("css selector", "#probe button[aria-label=Clear]").click()
        until("Drop File Here", "probe")
        assert browser.find_element("id", "result").text == ""  # not beside another file
        drop(files / "clip.mp4")
        browser.find_element("id", "check").click()
        until("One person found, in 4 of 4 frames looked at", "result")
        assert len(browser.find_elements("css selector", "#result .timeline circle")) == 4
        metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
        messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        assert len(asked) > 10
        assert [url for url in asked if not url.startswith((page.url, "data:", "blob:"))] == []
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
