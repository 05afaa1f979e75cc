"""The application behind the page: uploads, the guard, and Gradio's part."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from difffake.serve.check import Check
from difffake.serve.guard import App, Guard
from difffake.serve.page import build, style, theme
from difffake.serve.uploads import KEPT, Uploads

FILES = 20
"""Most files in one upload."""
_ENVELOPE = 100_000
"""Bytes of a request beside the files in it."""


def application(check: Check, hosts: frozenset[str] | None) -> App:
    """The whole application, to be run by a server.

    Args:
        check: gives the answer to an upload.
        hosts: names under which the page may be asked for, as for `Guard`.
    """
    # Gradio reads these at several places; nothing of them may come from outside.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(check.uploads.folder)}
    uploads = check.uploads

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_delete_old(uploads))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)

    # In place of Gradio's own, which names files as the user does, and gives the same path to files of same content.
    @app.post("/gradio_api/upload")
    async def upload(request: Request) -> Response:
        return await _upload(request, uploads)

    @app.get("/gradio_api/upload_progress")
    async def upload_progress() -> Response:
        return StreamingResponse(iter(['data: {"msg": "done"}\n\n']), media_type="text/event-stream")

    gr.mount_gradio_app(
        app,
        build(check),
        path="/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        blocked_paths=["/"],
        root_path="",
        show_error=False,
        max_file_size=uploads.limits.bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=style(),
    )
    return Guard(app, hosts)


async def _upload(request: Request, uploads: Uploads) -> Response:
    """Store the files of a form, and answer with their tokens."""
    most = uploads.limits
    size = request.headers.get("content-length", "")
    if not size.isdecimal():
        return PlainTextResponse("The size of the upload is missing.", 411)
    if int(size) > most.bytes + _ENVELOPE:
        return PlainTextResponse(f"The upload is too large: {most.megabytes:g} MB is the limit.", 413)
    if uploads.full:
        return PlainTextResponse("There is no room for more uploads now: come back in some minutes.", 503)
    try:
        async with request.form(max_files=FILES, max_fields=FILES) as form:
            files = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
            return JSONResponse([await run_in_threadpool(uploads.store, file.file) for file in files])
    except HTTPException as error:
        return PlainTextResponse("The upload cannot be read.", error.status_code)


async def _delete_old(uploads: Uploads) -> None:
    """Delete uploads whose time is over, now and then."""
    while True:
        await asyncio.sleep(KEPT / 20)
        await run_in_threadpool(uploads.delete_old)
