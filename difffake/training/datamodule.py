"""The data of a training run."""

from functools import cached_property
from pathlib import Path
from typing import Literal

import lightning
from torch.utils.data import DataLoader

from difffake.data.augment import AugmentConfig
from difffake.data.batches import Batch
from difffake.data.choice import Choice, choose_rows, refuse_mixture
from difffake.data.datasets import Concatenated, CropDataset, Fakes, PairDataset
from difffake.data.extras import Extras
from difffake.data.keys import check_splits, content_keys, leak_keys
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.data.mixed import MixedDataset
from difffake.data.partners import PairOrder, Partners, find_partners
from difffake.data.pseudo import PseudoConfig, Twins
from difffake.data.records import exact_partners
from difffake.data.samplers import EpochSampler
from difffake.data.thinning import thinned
from difffake.diffusion.cache import LatentCache
from difffake.errors import UsageError, UserError
from difffake.recorded import Recorded

BatchKind = Literal["paired", "mixed"]


class FaceData(Recorded, lightning.LightningDataModule):
    """Batches of real faces and forgeries, half and half, from the splits train and val of manifests.

    Args:
        manifest: one manifest, or several to train on together.
        fakes: forgeries to learn from: pseudo (pseudo-deepfakes of the real faces), manifest (its fakes) or both.
        methods: of the manifest's fakes, only those of these methods; by default all.
        compressions: only faces of these, such as c23, and those whose compression is not known. By default all, if
            the splits train and val have not several: they are mixed only where several are named.
        real_frames: largest number of training frames of a real video, evenly spaced; by default all.
        fake_frames: the same for each fake video of the manifest.
        batches: paired: half of a batch are real faces, the other half a forgery of each. mixed: real faces and fakes
            of the manifest in random order. Of the more frequent kind, as many as of the other are chosen at the start
            of the run, as in the published code of DiffusionFake.
        batch_size: images per batch and device, half of them real.
        image_size: side of the images in pixels.
        pseudo: probabilities and ranges of pseudo-deepfakes.
        redraw_validation: make new pseudo-deepfakes of the validation faces in every epoch, as the published code of
            DiffFake does; by default they stay the same, so that epochs are compared on the same images.
        augment: augmentations shared by a real face and its forgery.
        workers: number of processes per device that load data; 0 loads in the main process.
        pair_order: which of a fake's two partners is which; source_target swaps source and target, as the published
            code of DiffusionFake does by mistake.
        latents: where latents of a frozen diffusion model are cached: auto (in each manifest's folder), a folder, or
            none (they are computed at every step, which is slow).
        seed: random seed of the data: order, augmentations and pseudo-deepfakes.
    """

    def __init__(
        self,
        manifest: str | list[str],
        fakes: Fakes = "pseudo",
        methods: list[str] | None = None,
        compressions: list[str] | None = None,
        real_frames: int | None = None,
        fake_frames: int | None = None,
        batches: BatchKind = "paired",
        batch_size: int = 32,
        image_size: int = 224,
        pseudo: PseudoConfig = PseudoConfig(),  # noqa: B008  # frozen, so it can be shared
        redraw_validation: bool = False,
        augment: AugmentConfig = AugmentConfig(),  # noqa: B008
        workers: int = 2,
        pair_order: PairOrder = "target_source",
        latents: str = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 2 or batch_size % 2:
            raise UsageError(f"--data.batch_size {batch_size} must be even, from 2: half of a batch is real, half fake")
        for name, frames in (("real_frames", real_frames), ("fake_frames", fake_frames)):
            if frames is not None and frames < 1:
                raise UsageError(f"--data.{name} {frames} must be at least 1")
        if batches == "mixed" and fakes != "manifest":
            raise UsageError("--data.batches mixed is for fakes of a manifest: add --data.fakes manifest")
        if workers < 0:
            raise UsageError(f"--data.workers {workers} must be at least 0")
        self.paths = [manifest] if isinstance(manifest, str) else manifest
        self.fakes: Fakes = fakes
        self.methods = methods
        self.compressions = compressions
        self.frames = {0: real_frames, 1: fake_frames}
        self.batches: BatchKind = batches
        self.batch_size = batch_size
        self.image_size = image_size
        self.pseudo = pseudo
        self.redraw_validation = redraw_validation
        self.augment = augment
        self.workers = workers
        self.pair_order: PairOrder = pair_order
        self.latents = latents
        self.seed = seed
        self.extras: Extras | None = None
        """What training samples contain besides images and labels; set before loaders are made."""
        self.twins: Twins | None = None
        """Gives the twins of real faces; set before loaders are made, if pseudo-deepfakes need them."""
        self._resumed = (0, 0)

    @cached_property
    def manifests(self) -> list[Manifest]:
        """The unchanged manifests, in the order of the argument `manifest`."""
        found = [Manifest.read(Path(path)) for path in self.paths]
        return found if len(found) == 1 else [Manifest(m.table, m.root.resolve()) for m in found]

    @cached_property
    def manifest(self) -> Manifest:
        """All rows of all manifests that the run may use.

        Raises `UserError` if splits share an identity, video, source or target, a chosen method or compression is not
        there, or compressions would be mixed that were not chosen.
        """
        check_splits(Manifest.concat(self.manifests).table)
        manifest = Manifest.concat(self.chosen)
        if not self.compressions:
            refuse_mixture(manifest, "--data.compressions")
        return thinned(manifest, self.frames)

    @cached_property
    def chosen(self) -> list[Manifest]:
        """The rows of each manifest that the run may use. Raises `UserError` if what was chosen is not there."""
        return choose_rows(self.manifests, Choice(self.methods or (), self.compressions or (), "--data."))

    def keys(self, split: str) -> set[str]:
        """Identities, videos, sources, targets and crops of a split."""
        table = self.manifest.table
        rows = table[table["split"] == split]
        return leak_keys(rows, table) | content_keys(rows, self.manifest.root)

    def training_set(self) -> PairDataset | MixedDataset:
        """Augmented pairs, or single images, of the split train."""
        if self.batches == "mixed":
            return MixedDataset(self._training_rows, self.image_size, self.augment, self.seed, self.extras)
        return PairDataset(
            self._training_rows, self.image_size, self.fakes, self.pseudo, self.augment, self.seed, self.extras,
            self.twins,
        )  # fmt: skip

    @cached_property
    def _training_rows(self) -> Manifest:
        return self.manifest.select(split="train")

    def partners(self) -> Partners:
        """Source and target of every row of the split train.

        Raises `UserError` if the run learns from the manifest's fakes, but none of them has a source and a target.
        """
        partners = find_partners(self._training_rows, self.pair_order, exact_partners(self.manifests))
        fake = self._training_rows.table["label"].to_numpy() == 1
        if self.fakes == "manifest" and not partners.known[fake].any():
            raise UserError(
                f"no fake of {', '.join(self.paths)} has a source and a target among its real faces, so there is "
                "nothing to learn from them: use a manifest that names them, --data.fakes pseudo, or leave out the "
                "regularizers that need them, such as --model.regularizers.guide null"
            )
        return partners

    def caches(self, model: str, name: str = "") -> list[tuple[Manifest, LatentCache]]:
        """One cache per manifest for its training rows of all methods; an empty list if caches are switched off.

        Args:
            model: fingerprint of the model that computes the cached arrays.
            name: subfolder of the cache; empty for latents.

        Raises:
            UserError: a cache folder has arrays of another model.
        """
        if self.latents == "none" or self.fakes == "pseudo":  # pseudo-deepfakes are new in every epoch
            return []
        found = []
        for number, (manifest, path) in enumerate(zip(self.manifests, map(Path, self.paths), strict=True)):
            rows = manifest.select(split="train")
            if self.latents == "auto":
                # Several manifests may be in one folder: each has its own cache.
                own = "" if path.is_dir() or path.stem == "manifest" else path.stem
                folder = manifest.root / "latents" / own / name / f"{model[:8]}-{self.image_size}"
            else:
                folder = Path(self.latents) / name / (str(number) if len(self.manifests) > 1 else "")
            found.append((rows, LatentCache(folder, rows, model, self.image_size)))
        return found

    def resume(self, epoch: int, batches: int) -> None:
        """Begin with `epoch` (from 0) and skip its first `batches` batches, which are not loaded."""
        self._resumed = (epoch, batches)

    def validation_set(self) -> Concatenated:
        """The split val: pseudo-deepfakes with their real faces, rows of the manifest, or both."""
        manifest = self.manifest.select(split="val")
        parts: list[PairDataset | CropDataset] = []
        if self.fakes != "manifest":
            parts.append(self.pseudo_pairs(manifest))
        if self.fakes != "pseudo":
            # The pairs of pseudo-deepfakes contain the real faces already.
            rows = manifest.select(label=1) if parts else manifest
            if not 0 < manifest.table["label"].mean() < 1:
                raise UserError(f"the val split of {', '.join(self.paths)} needs real faces and fakes")
            parts.append(CropDataset(rows, self.image_size))
        return Concatenated(parts)

    def pseudo_pairs(self, rows: Manifest, extras: Extras | None = None) -> PairDataset:
        """Real faces without augmentation with a pseudo-deepfake each, new in every epoch if `redraw_validation`."""
        settings = self.pseudo, None, self.seed, extras, self.twins, self.redraw_validation
        return PairDataset(rows, self.image_size, "pseudo", *settings)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Loader of this rank's pairs, shuffled."""
        return self._loader(self.training_set(), shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Loader of this rank's share of the validation set; over all ranks, each sample occurs once."""
        return self._loader(self.validation_set(), shuffle=False)

    def _loader(self, dataset: PairDataset | MixedDataset | Concatenated, *, shuffle: bool) -> DataLoader[Batch]:
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        samples = self.batch_size if isinstance(dataset, MixedDataset) else self.batch_size // 2
        if shuffle and len(dataset) < ranks * samples:
            kind = "training faces" if isinstance(dataset, MixedDataset) else "real training faces"
            raise UserError(
                f"{len(dataset)} {kind} are too few for a batch of {self.batch_size} on {ranks} "
                "device(s): lower --data.batch_size"
            )
        sampler = EpochSampler(len(dataset), shuffle=shuffle, seed=self.seed, rank=rank, ranks=ranks)
        if shuffle:
            epoch, batches = self._resumed
            sampler.resume(epoch, batches * samples)
        return loader(dataset, samples, self.workers, sampler, drop_last=shuffle)
