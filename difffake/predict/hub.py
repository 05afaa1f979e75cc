"""Model folders by name: of the package, on this machine, or on the Hugging Face Hub.

The functions do what huggingface_hub's ModelHubMixin does, and are written out for two reasons. The mixin gives every
entry of a downloaded config.json that is named like an argument to the constructor, and one of these, `imports`,
permits code. And each prediction would import it, which takes a third of a second.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from difffake.errors import UsageError, UserError
from difffake.files import MARKER, shipped
from difffake.models.model_config import CONFIG

OWN = "detector"
"""Folder in the package with its own detector."""
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FILES = [CONFIG, "*.safetensors", "calibration.json", "README.md"]


def find_model(
    name: str | Path | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """The checkpoint or folder that a name stands for; a model of the Hub is downloaded unless it was before.

    Args:
        name: a path, which wins; or OWNER/NAME on the Hub; None is the detector of the package.
        revision: branch, tag or commit on the Hub.
        token: access token for the Hub; by default that of `hf auth login`, and False for none.
        cache_dir: where downloads are kept; by default the Hub's own cache.
        local_files_only: download nothing.

    Raises:
        UsageError: there is a revision, but no name on the Hub.
        UserError: the package has no detector, or the Hub's model cannot be downloaded or is of another program.
    """
    if name is None:
        own = shipped(OWN)
        if not (own / CONFIG).is_file():
            raise UserError("this installation has no detector of its own: name a checkpoint with --ckpt")
        return own
    path = Path(name)
    if path.exists() or not _NAME.fullmatch(str(name)) or path.suffix in (".ckpt", ".json", ".safetensors"):
        if revision is not None:
            raise UsageError(f"revision {revision} is for a name on the Hub, such as OWNER/NAME, and not for {name}")
        return path
    from huggingface_hub import snapshot_download

    with _one_line(f"{name} is no file or folder here, and cannot be downloaded from the Hub"):
        found = Path(
            snapshot_download(
                str(name),
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                allow_patterns=_FILES,
            )
        )
    if not (found / CONFIG).is_file():
        raise UserError(f"{name} on the Hub has no {CONFIG}: name a model that `difffake publish` wrote")
    return found


def push(
    folder: Path,
    repo: str,
    token: str | bool | None = None,
    private: bool | None = None,
    revision: str | None = None,
    message: str = "Model folder of difffake",
) -> str:
    """Upload a model folder to the Hub.

    Args:
        folder: model folder.
        repo: OWNER/NAME; it is made if it does not exist.
        token: access token with the right to write; by default that of `hf auth login`.
        private: whether a new one is private; by default as the owner's settings say.
        revision: branch; by default main.
        message: message of the commit.

    Returns:
        The address of the commit.

    Raises:
        UserError: the Hub cannot be reached or refuses.
    """
    check_name(repo)
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with _one_line(f"{folder} cannot be uploaded to {repo}"):
        found = api.create_repo(repo, private=private, exist_ok=True).repo_id
        commit = api.upload_folder(
            repo_id=found, folder_path=folder, revision=revision, commit_message=message, ignore_patterns=[MARKER]
        )
    return str(commit)


def check_name(repo: str) -> None:
    """Raise `UsageError` if a name is not OWNER/NAME."""
    if not _NAME.fullmatch(repo):
        raise UsageError(f"{repo} is no name on the Hub: write OWNER/NAME")


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Turn errors of the Hub into one line."""
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise UserError(f"{what}: ask for access on its page, and give a token") from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{what}: there is none of this name, or it is private and needs a token") from error
    except RevisionNotFoundError as error:
        raise UserError(f"{what}: it has no such revision") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError) as error:
        raise UserError(f"{what}, which cannot be reached: name a folder, or try again with a network") from error
    except Exception as error:  # the libraries below have errors of their own, such as httpx.ConnectError
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{what} ({reason})") from error
