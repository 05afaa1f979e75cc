"""What the server answers to: the page's own requests, from the page itself, and nothing else."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PATHS = frozenset(
    "/ /config /theme.css /favicon.ico /manifest.json /robots.txt /gradio_api/info /gradio_api/startup-events "
    "/gradio_api/queue/join /gradio_api/queue/data /gradio_api/cancel /gradio_api/reset "
    "/gradio_api/upload /gradio_api/upload_progress".split()
)
_FOLDERS = ("/assets/", "/static/", "/gradio_api/heartbeat/")
# Gradio's other routes read files and other addresses for the user (file=, proxy=), show what runs (monitoring), or
# convert media (process_recording). The page needs none of them.

_OWN = "'self' 'unsafe-inline'"
_HEADERS = {
    # The browser itself refuses to send anything to another address, whatever a script of the page tries.
    "content-security-policy": (
        f"default-src 'self'; script-src {_OWN} 'unsafe-eval'; style-src {_OWN}; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Lets through requests to the page's own routes only, and adds headers that keep the browser at this server.

    Args:
        app: the server's application.
        hosts: names under which the page may be asked for; None for any. Without it, a foreign web site whose name
            leads to this machine could read answers.
    """

    def __init__(self, app: App, hosts: frozenset[str] | None) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        if refused := self._refused(scope):
            await _plain(send, *refused)
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", []) if pair[0].lower().decode() not in _HEADERS]
                message["headers"] = kept + [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await self.app(scope, receive, guarded)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason, if a request is refused."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 403, "Ask for this page by the address that the server printed."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "Another site may not use this page."
        path = scope["path"]
        if path in _PATHS or (path.startswith(_FOLDERS) and ".." not in path):
            return None
        return 404, "There is nothing here."


def _name(host: str) -> str:
    """The name in a Host header, without port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _plain(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
