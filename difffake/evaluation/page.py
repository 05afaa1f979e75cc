"""HTML pages that need no other file and no network."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import difffake


def rendered(template: str, **values: Any) -> str:
    """A template of this folder with these values, and with the version and the date of today."""
    environment = Environment(
        loader=PackageLoader("difffake", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return environment.get_template(template).render(version=difffake.__version__, date=today, **values)


def read_text(name: str) -> str:
    """A file of this folder as text."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
