"""A running web page that tests ask as a browser does."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from drawn_clips import SIDE, drawn, moved

from difffake import Predictor
from difffake.faces.detection import Face
from difffake.serve.uploads import Limits

FACE, PLACE = drawn(1)
LIMITS = Limits(1, 5)
NO_HOST = "no such host"


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
