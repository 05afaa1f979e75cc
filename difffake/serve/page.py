"""The page itself, made of Gradio's parts."""

from pathlib import Path
from typing import Any

import gradio as gr

from difffake.serve.answer import introduction
from difffake.serve.check import Check
from difffake.serve.uploads import KEPT

WAITING = 20
"""Number of users that may wait at the same time; others are asked to come back."""


def _by_token(field: gr.File) -> gr.File:
    """Let a request give the token of an upload as the value of a field, and never a path.

    Gradio would copy the file that a request names, or fetch the address that it names, before it calls a function.
    """

    async def unchanged(url_or_file_path: Any) -> str | None:
        return None if url_or_file_path is None else str(url_or_file_path)

    # A derived class would do it too, but Gradio writes a file beside the module for each.
    field.async_move_resource_to_block_cache = unchanged
    return field


def build(check: Check) -> gr.Blocks:
    """The page.

    Args:
        check: gives the answer to an upload.
    """
    top, limits = introduction()
    most = check.uploads.limits

    def answered(probe: dict[str, Any] | None, references: list[dict[str, Any]] | None = None) -> str:
        """Check a picture or a clip, or compare it with real pictures of the person in it."""
        return check(probe["path"] if probe else None, [reference["path"] for reference in references or ()])

    with gr.Blocks(title="difffake: check a picture or a clip", analytics_enabled=False) as page:
        gr.HTML(top)
        probe = _by_token(gr.File(label="Picture or clip", file_types=["image", "video"], elem_id="probe", height=150))
        gr.HTML(
            f"<p class='small'>At most {most.megabytes:g} MB and {most.seconds:g} s. Files are checked on the server "
            f"of this page, and deleted there after about {KEPT / 60:g} minutes.</p>"
        )
        references = _by_token(
            gr.File(
                label="Real pictures of the same person",
                file_types=["image"],
                file_count="multiple",
                elem_id="references",
                height=120,
                render=False,
            )
        )
        if check.predictor.has_anomaly:
            with gr.Accordion("Compare with real pictures", open=False, elem_id="reference"):
                gr.HTML(
                    "<p class='small'>If you have pictures that certainly show this person, the anomaly score compares "
                    "the file with them. The file must show one person only.</p>"
                )
                references.render()
        button = gr.Button("Check", variant="primary", elem_id="check")
        result = gr.HTML(elem_id="result", min_height=60)
        gr.HTML(limits)
        inputs = [probe, references] if check.predictor.has_anomaly else [probe]
        button.click(answered, inputs, result, api_name="check", concurrency_limit=1, preprocess=False)
        # An old answer must not stay beside a new file.
        for field in inputs:
            field.change(None, None, result, js="() => ''", api_visibility="private")
    return page.queue(max_size=WAITING)


def theme() -> gr.themes.Base:
    """Calm colors and the fonts of the reader's system."""
    fonts = ["system-ui", "sans-serif"]
    return gr.themes.Default(primary_hue="slate", neutral_hue="slate", font=fonts, font_mono=["monospace"])


def style() -> str:
    """The page's own style sheet."""
    return (Path(__file__).parent / "templates" / "page.css").read_text()
