"""The web page: what it answers, to two users at once, and what it refuses."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawn_clips import SIDE, drawn, moved, write_clip
from tiny import TinyRun

from difffake import Predictor
from difffake.commands.main import main
from difffake.errors import Terminated, UserError
from difffake.faces.detection import Face
from difffake.faces.images import write_png
from difffake.faces.length import video_seconds

pytest.importorskip("gradio", reason="gradio is not installed: pip install -e '.[dev]'")

from difffake.serve import server as server_module
from difffake.serve.server import bound, serve, server
from difffake.serve.uploads import Limits, Uploads

FACE, PLACE = drawn(1)
LIMITS = Limits(1, 5)
NO_HOST = "no such host"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")


def known(image: np.ndarray) -> list[Face]:
    """The drawn faces: two in a wide picture, none in a dark one."""
    return [] if image.mean() < 20 else [PLACE, moved(PLACE, SIDE)][: image.shape[1] // SIDE]


@dataclass
class Served:
    """A running page."""

    url: str
    folder: Path
    predictor: Predictor
    client: httpx.Client
    number: int
    """Of the function behind the button."""

    def upload(self, *files: Path, name: str | None = None) -> list[str]:
        parts = [("files", (name or file.name, file.read_bytes())) for file in files]
        found = self.client.post("/gradio_api/upload", files=parts)
        assert found.status_code == 200, found.text
        return found.json()

    def ask(self, probe: Any, references: Any = None) -> str:
        """What the page shows for values of its fields, as the browser asks for it."""
        session = os.urandom(4).hex()
        body = {"data": [probe, references], "fn_index": self.number, "session_hash": session}
        joined = self.client.post("/gradio_api/queue/join", json=body)
        assert joined.status_code == 200, joined.text
        params = {"session_hash": session}
        with self.client.stream("GET", "/gradio_api/queue/data", params=params) as events:
            for line in events.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line else {}
                if message.get("msg") == "process_completed":
                    return json.dumps(message["output"]) if "data" not in message["output"] else said(message)
        raise AssertionError("no answer")

    def check(self, file: Path, *references: Path, name: str | None = None) -> str:
        tokens = self.upload(*references) if references else []
        return self.ask(field(self.upload(file, name=name)[0]), [field(token) for token in tokens] or None)


def field(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def said(message: dict[str, Any]) -> str:
    return text_of(message["output"]["data"][0])


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture(scope="module")
def page(tiny_run: TinyRun) -> Iterator[Served]:
    outside: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in ("socket.connect", "socket.getaddrinfo"):
            host = arguments[1][0] if event == "socket.connect" else arguments[0]
            if host not in ("127.0.0.1", "localhost", b"127.0.0.1", NO_HOST) and isinstance(host, str | bytes):
                outside.append(str(host))

    sys.addaudithook(watch)
    with (
        Predictor(tiny_run.ckpt, device="cpu", find_faces=known, frames=4) as predictor,
        bound("127.0.0.1", 0) as listening,
        server(predictor, LIMITS, "127.0.0.1") as running,
    ):
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        while not running.started:
            time.sleep(0.05)
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=60) as client:
            calls = client.get("/config").json()["dependencies"]
            (number,) = (call["id"] for call in calls if call["api_name"] == "check")
            yield Served(url, folder, predictor, client, number)
        running.should_exit = True
        thread.join(10)
    watching = False
    assert not folder.exists()
    assert outside == []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One face, two faces, none, and a clip of a face."""
    folder = tmp_path_factory.mktemp("files")
    write_png(folder / "one.png", FACE)
    write_png(folder / "two.png", np.hstack([FACE, FACE]))
    write_png(folder / "dark.png", np.zeros_like(FACE))
    write_clip(folder / "clip.mp4", [FACE] * 8)
    return folder


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


def test_references_are_compared(page: Served, files: Path) -> None:
    text = page.check(files / "one.png", files / "one.png", files / "two.png")
    assert "mean of 2 comparisons" in text
    assert "compared with 2 reference pictures" in text
    assert "The file shows 2 people" in page.check(files / "two.png", files / "one.png")
    assert "Reference picture 2: no face found" in page.check(files / "one.png", files / "one.png", files / "dark.png")
    assert "Reference picture 1 is no picture" in page.check(files / "one.png", files / "clip.mp4")


@pytest.mark.parametrize("prefix", ["/gradio_api/file=", "/gradio_api/file/", "/file=", "/static/", "/assets/"])
def test_no_file_can_be_read(page: Served, files: Path, tiny_run: TinyRun, prefix: str) -> None:
    (token,) = page.upload(files / "one.png")
    secrets = [Path("/etc/passwd"), tiny_run.ckpt, page.folder / token, Path(server_module.__file__)]
    with socket.create_connection(("127.0.0.1", int(page.url.rsplit(":", 1)[1]))) as line:
        line.settimeout(10)
        for target in [
            *map(str, secrets),
            "../" * 30 + "etc/passwd",
            "..%2f" * 30 + "etc/passwd",
            page.url,
            "//etc/passwd",
        ]:
            # Not with a client, which would take .. out of the path.
            line.sendall(f"GET {prefix}{target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = line.recv(65536)
            assert head.split()[1] in (b"403", b"404"), (target, head)
            length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))  # type: ignore[union-attr]
            while len(head.split(b"\r\n\r\n", 1)[1]) < length:
                head += line.recv(65536)
            assert b"root:" not in head


def test_the_page_tells_nothing_of_the_machine(page: Served, tiny_run: TinyRun) -> None:
    for path in ("/", "/config", "/gradio_api/info"):
        text = page.client.get(path).text
        assert len(text) > 100
        for secret in (page.folder, tiny_run.folder, Path.cwd(), Path(server_module.__file__).parent):
            assert str(secret) not in text


def test_routes_that_the_page_does_not_need_are_closed(page: Served) -> None:
    for path in ("proxy=http://example.org/", "monitoring", "stream/a/b/1/playlist.m3u8", "runs", "openapi.json"):
        assert page.client.get(f"/gradio_api/{path}").status_code == 404
        assert page.client.get(f"/{path}").status_code == 404
    for path in ("process_recording", "component_server", "run/check", "vibe-edit"):
        assert page.client.post(f"/gradio_api/{path}", json={}).status_code == 404


def test_a_field_may_name_uploads_only(page: Served, files: Path, tiny_run: TinyRun) -> None:
    """Gradio itself would copy the named file, or fetch it from the named address."""
    before = sorted(page.folder.iterdir())
    (token,) = page.upload(files / "one.png")
    named = [
        "/etc/passwd",
        str(tiny_run.ckpt),
        f"../{page.folder.name}/{token}",
        str(page.folder / token),
        "http://203.0.113.7/secret.png",
        f"{page.url}/favicon.ico",
        "",
        "0" * 32,
    ]
    for path in named:
        text = page.ask(field(path, is_stream="203" not in path, url="http://203.0.113.7/x.png"))
        assert "drop the file again" in text or "Drop a picture or a clip first" in text, (path, text)
    for more in ({}, {"is_stream": True}):
        assert "drop the file again" in page.ask(field(token), [field(path, **more) for path in named[:5]])
        assert "drop the file again" in page.ask(field("/etc/passwd", **more))
    assert "path" not in page.ask({"no": "file"})
    assert sorted(page.folder.iterdir()) == sorted([*before, page.folder / token])


@pytest.mark.parametrize(
    "name", ["../../../tmp/x.png", "/etc/cron.d/x", "..", "a" * 3000, "<b>x</b>.png", "C:\\x\0.mp4"]
)
def test_the_name_of_an_upload_is_not_a_path(page: Served, files: Path, name: str) -> None:
    before = set(page.folder.iterdir())
    assert "One person found" in page.check(files / "one.png", name=name)
    (written,) = set(page.folder.iterdir()) - before
    assert re.fullmatch(r"[0-9a-f]{32}", written.name)
    assert stat.S_IMODE(page.folder.stat().st_mode) == 0o700


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


def test_other_sites_cannot_use_the_page(page: Served) -> None:
    for headers in ({"host": "evil.example:7860"}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert page.client.get("/", headers=headers).status_code == 403
        assert page.client.post("/gradio_api/upload", headers=headers, files={"files": b"x"}).status_code == 403
    found = page.client.get("/", headers={"origin": page.url})
    assert found.status_code == 200
    assert "connect-src 'self'" in found.headers["content-security-policy"]
    assert "server" not in found.headers


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
    assert video_seconds(tmp_path / "clip.mp4") == pytest.approx(2.0)


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
