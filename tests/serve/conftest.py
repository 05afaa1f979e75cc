"""A server of the web page, and files to drop on it."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawn_clips import write_clip
from served import FACE, LIMITS, NO_HOST, Served, known
from tiny import TinyRun

from difffake import Predictor
from difffake.faces.images import write_png
from difffake.serve.server import bound, server


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
