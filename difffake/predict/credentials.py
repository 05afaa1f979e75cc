"""Content Credentials (C2PA): who signed a file, and what the signer says of its making.

They are shown beside a score and change nothing of it. They are read only if the package c2pa-python is there
(`pip install difffake[c2pa]`). Nothing is fetched from addresses in the file.
"""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from difffake.faces.listing import count

State = Literal["none", "trusted", "valid", "invalid", "unreadable", "elsewhere"]

SOURCES = {
    "trainedAlgorithmicMedia": "made by an AI tool",
    "compositeWithTrainedAlgorithmicMedia": "partly made by an AI tool",
    "algorithmicMedia": "made by a program, without training data",
    "digitalCapture": "taken with a camera",
    "computationalCapture": "taken with a camera, from several exposures",
    "screenCapture": "captured from a screen",
    "digitalCreation": "made by a person with a program",
    "humanEdits": "edited by a person",
    "composite": "put together from several sources",
    "compositeCapture": "put together from several photographs",
}
"""IPTC's digital source types, the last part of their addresses, in words."""
# Without these, a file could make this program open an address, for the credentials or for the certificate's state.
_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"allowed_network_hosts": []},
}
_UNTRUSTED = "signingCredential.untrusted"
_LONGEST, _MOST = 80, 20  # characters of a text, and actions


@dataclass(frozen=True)
class Action:
    """One step of a file's making, as its signer states it."""

    action: str
    """Such as c2pa.created or c2pa.edited."""
    source_type: str | None
    """IPTC's digital source type, such as trainedAlgorithmicMedia."""
    tool: str | None
    """Program that took the step."""

    @property
    def words(self) -> str:
        """The step for a note."""
        source = f": {SOURCES.get(self.source_type, self.source_type)}" if self.source_type else ""
        return f"{self.action.removeprefix('c2pa.')}{source}" + (f" ({self.tool})" if self.tool else "")


@dataclass(frozen=True)
class Credentials:
    """Content Credentials of one file."""

    state: State
    """none: the file has none. trusted: signature and content are intact, and the signer is on a list of trusted ones.
    valid: they are intact, and the signer is on no such list. invalid: something does not fit. unreadable: they are
    broken. elsewhere: they are kept at an address, which was not opened."""
    signer: str | None = None
    """Name in the certificate. Anyone can make one with any name, unless the signer is trusted."""
    generator: str | None = None
    """Program that wrote the credentials."""
    actions: tuple[Action, ...] = field(default=())
    """Steps of the file's making and of the files that it was made from."""
    problems: tuple[str, ...] = ()
    """What does not fit, or why nothing could be read."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "state": self.state,
            "signer": self.signer,
            "generator": self.generator,
            "actions": [vars(action) for action in self.actions],
            "problems": list(self.problems),
        }

    @property
    def note(self) -> str:
        """One line for people; empty if there are none."""
        problems = "; ".join(self.problems)
        if self.state == "none":
            return ""
        if self.state == "elsewhere":
            return f"Content Credentials are kept at another address, which was not opened: {problems}"
        if self.state == "unreadable":
            return f"Content Credentials cannot be read, so they say nothing: {problems}"
        if self.state == "invalid":
            judged = f"NOT valid ({problems})"
        else:
            judged = "valid" if self.state == "valid" else "valid, of a trusted signer"
        name = f"signed as {self.signer}" if self.signer else "signed without a name"
        checked = "" if self.state == "trusted" else " (anyone can use this name: it was checked against no list)"
        parts = [f"signature {judged}", name + checked]
        if self.generator:
            parts.append(f"written by {self.generator}")
        words = list(dict.fromkeys(action.words for action in self.actions))
        if words:
            parts.append(f"stated: {', '.join(words)}")
        return f"Content Credentials: {'; '.join(parts)}"


def read_credentials(path: Path) -> Credentials | None:
    """Read the Content Credentials of an image or video.

    Returns:
        What they say; None without the package c2pa-python, and for formats that it does not know.
    """
    if importlib.util.find_spec("c2pa") is None:
        return None
    try:
        return _read(path)
    except Exception as error:  # whatever is wrong with them: the file still has a score
        kind, reason = _plain(type(error).__name__), _plain(error)
        if "NotSupported" in kind:
            return None
        if reason.startswith("Remote:"):
            return Credentials("elsewhere", problems=(reason.rpartition(" ")[2],))
        return Credentials("unreadable", problems=(reason or kind,))


def absent_note(found: list[Credentials | None]) -> str:
    """What it means that files have no credentials; empty if all have some, or none could be looked for."""
    without = sum(one is not None and one.state == "none" for one in found)
    if not without:
        return ""
    return f"No Content Credentials in {count(without, 'file')}, which says nothing: most files have none."


def _read(path: Path) -> Credentials:
    import c2pa

    with path.open("rb") as file, c2pa.Context(c2pa.Settings.from_dict(_SETTINGS)) as context:
        reader = c2pa.Reader.try_create(file, context=context)
        if reader is None:
            return Credentials("none")
        with reader:
            store = json.loads(reader.json())
    active = store["manifests"][store["active_manifest"]]
    signature = active.get("signature_info") or {}
    states: dict[str, State] = {"Trusted": "trusted", "Valid": "valid"}
    state = states.get(store.get("validation_state"), "invalid")
    failed = [status for status in store.get("validation_status") or () if status.get("code") != _UNTRUSTED]
    others = [manifest for manifest in store["manifests"].values() if manifest is not active]
    actions = [action for manifest in (active, *others) for action in _actions(manifest)]
    return Credentials(
        state,
        _some(signature.get("issuer") or signature.get("common_name")),
        _some(_program(next(iter(active.get("claim_generator_info") or ()), active.get("claim_generator")))),
        tuple(actions[:_MOST]),
        tuple(_plain(status.get("explanation") or status.get("code")) for status in failed[:_MOST]),
    )


def _actions(manifest: dict[str, Any]) -> Iterator[Action]:
    for assertion in manifest.get("assertions") or ():
        if str(assertion.get("label")).startswith("c2pa.actions"):
            for one in assertion["data"].get("actions") or ():
                source = str(one.get("digitalSourceType") or "").rpartition("/")[2]
                yield Action(_plain(one.get("action")), _some(source), _some(_program(one.get("softwareAgent"))))


def _program(given: Any) -> Any:
    """Name and version of a program, which is a text or an object."""
    return f"{given.get('name')} {given.get('version') or ''}" if isinstance(given, dict) else given


def _some(given: Any) -> str | None:
    return _plain(given) or None if given else None


def _plain(given: Any) -> str:
    """A text of the file in one short line of printable characters, as it must not steer a terminal."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in str(given)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
