"""The part of a predictor that gets its files from elsewhere, and gives them to others."""

import tempfile
from pathlib import Path
from typing import Any, Self

from difffake.files import shipped
from difffake.models.model_config import CONFIG, read_config
from difffake.predict.card import measured_line
from difffake.predict.hub import OWN, find_model, push


class Pretrained:
    """Methods of huggingface_hub's ModelHubMixin; `difffake.predict.hub` says why it is not used itself.

    Args:
        ckpt: file of the detector: a checkpoint, or config.json of a model folder.
        files: options of `publish` that name other files: anomaly, calibration, imports.
    """

    def __init__(self, ckpt: Path, **files: Any) -> None:
        self.ckpt = ckpt
        self._files = files

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        **options: Any,
    ) -> Self:
        """Make a predictor of a model folder, a checkpoint, or a model on the Hugging Face Hub.

        Args:
            name: a path, which wins; else OWNER/NAME on the Hub, which is downloaded once; None is the detector that
                comes with the package.
            revision: branch, tag or commit on the Hub; by default main.
            token: access token for the Hub; by default that of `hf auth login`, and False for none.
            cache_dir: where downloads are kept; by default the Hub's own cache.
            local_files_only: download nothing, and take what was downloaded before.
            options: arguments of `Predictor` other than `ckpt`.

        Raises `UserError` if there is no such model, or as in `Predictor`.
        """
        return cls(find_model(name, revision, token, cache_dir, local_files_only), **options)

    def save_pretrained(self, folder: str | Path, **options: Any) -> Path:
        """Write a model folder, which `from_pretrained` reads: weights, anomaly model, calibration and model card.

        Args:
            folder: folder to write.
            options: arguments of `difffake.predict.publish.publish` for the model card and the type of the weights,
                such as `results=[Path("results")]` and `dtype="float16"`.

        Raises `UserError` as `publish` does.
        """
        from difffake.predict.publish import publish

        return publish(self.ckpt, Path(folder), **self._files | options)

    def push_to_hub(
        self,
        repo: str,
        *,
        token: str | bool | None = None,
        private: bool | None = None,
        revision: str | None = None,
        **options: Any,
    ) -> str:
        """Write a model folder, and upload it to the Hugging Face Hub.

        Args:
            repo: OWNER/NAME; it is made if it does not exist.
            token: access token with the right to write; by default that of `hf auth login`.
            private: whether a new one is private; by default as the owner's settings say.
            revision: branch; by default main.
            options: as for `save_pretrained`.

        Returns:
            The address of the commit.

        Raises `UserError` if the Hub cannot be reached or refuses, or as in `save_pretrained`.
        """
        with tempfile.TemporaryDirectory() as folder:
            written = self.save_pretrained(Path(folder) / "model", **{"name": repo} | options)
            return push(written, repo, token, private, revision)


def about(ckpt: Path) -> str:
    """What a detector of a model folder was trained and measured on, in one line; empty for other checkpoints."""
    subject = "The detector of the package" if ckpt.parent == shipped(OWN) else ""
    return measured_line(read_config(ckpt), subject) if ckpt.name == CONFIG else ""
