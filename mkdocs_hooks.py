"""Hooks of the documentation site, named in mkdocs.yml: links to files outside docs/, and what commands need.

A link in a page is a relative path in the repository, so it works there too. On the site, a linked file outside docs/
is a page of its own.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import dirname, normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parent
_LINK = re.compile(r"(?<=\]\()(?!\w+:|[#/])([^)\s#]+)")
_NEEDS = re.compile(r"^<!-- needs: (.*) -->$", flags=re.MULTILINE)
_LANGUAGES = {".yaml": "yaml", ".py": "python", ".sh": "bash", ".sbatch": "bash", ".cff": "yaml"}


def _origin(uri: str) -> str:
    """Path in the repository of a page of the site."""
    return uri.removeprefix("repository/").removesuffix(".page.md") if uri.startswith("repository/") else f"docs/{uri}"


def _uri(path: str) -> str:
    """The page of the site that shows a file of the repository."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"repository/{path}.page.md"


def _shown(path: Path) -> str:
    """A file as Markdown."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    return f"# {path.relative_to(ROOT)}\n\n````{_LANGUAGES.get(path.suffix, 'text')}\n{text}````\n"


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each linked file outside docs/, and for those that these link to."""
    waiting = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    while waiting:
        uri, text = waiting.pop()
        for link in _LINK.findall(text):
            path = normpath(f"{dirname(_origin(uri))}/{link}")
            if path.startswith(("docs/", "..")) or not (ROOT / path).is_file() or files.get_file_from_path(_uri(path)):
                continue
            page = File.generated(config, _uri(path), content=_shown(ROOT / path), inclusion=InclusionLevel.NOT_IN_NAV)
            files.append(page)
            waiting.append((page.src_uri, page.content_string))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at the pages of the site, and say above a block of commands what it needs."""
    here = page.file.src_uri

    def pointed(match: re.Match[str]) -> str:
        path = normpath(f"{dirname(_origin(here))}/{match[1]}")
        return relpath(_uri(path), PurePosixPath(here).parent) if files.get_file_from_path(_uri(path)) else match[1]

    return _NEEDS.sub(r"Needs: \1\n{ .needs }\n", _LINK.sub(pointed, markdown))
