"""Fitting the anomaly model: embed real training faces, pair them, and fit a density to their differences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from difffake.anomaly.density import Density, density_class
from difffake.anomaly.forged import Forge
from difffake.anomaly.learned import LEARNED, Versions, learn_combination
from difffake.anomaly.mixture import GaussianMixture, free_parameters
from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.anomaly.scoring import Pairing, equal_pairs, pair_features, score_features
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.keys import content_keys, leak_keys, pair_group
from difffake.data.manifest import Manifest
from difffake.distributed import count, everyone, own_rows
from difffake.errors import UserError
from difffake.metrics import auc, percent, youden_threshold
from difffake.progress import console

VALUES_PER_PARAMETER = 4
"""Smallest number of feature values, over all pairs, per parameter of a mixture. For full covariances of D dimensions
this is about 2 D pairs per component. With fewer pairs, a sample covariance is singular or nearly singular (Marchenko &
Pastur 1967)."""

_NO_PAIRS = (
    "no video or identity has two images to pair: use a manifest with videos or identities, or --combination single"
)

EmbedRows = Callable[[CropDataset | PairDataset, np.ndarray, str], np.ndarray]
"""Function that gives the embeddings (n, D) of the samples (n,) of a data set; the text is for the progress bar."""


@dataclass(frozen=True)
class DensityConfig:
    """Settings of the density to fit. Raises `UserError` if settings contradict each other."""

    model: str = "mixture"
    """mixture, svm, or the class path of a `Density` of your own."""
    components: int = 3
    """Number of Gaussians of the mixture."""
    covariance: str = "auto"
    """full, tied, diag or spherical; auto is full if there are enough pairs (`VALUES_PER_PARAMETER`), else diag."""
    reg_covar: float = 1e-6
    """Number added to the diagonal of the mixture's covariances."""
    max_iter: int = 250
    """Largest number of EM iterations."""
    nu: float = 0.5
    """Largest share of real pairs that may lie outside the boundary of the SVM, in (0, 1]."""
    imports: Sequence[str] = ()
    """Packages outside difffake whose code may run."""
    seed: int = 0
    """Random seed of the mixture's k-means start."""

    def __post_init__(self) -> None:
        self.build(1, 1)

    def build(self, pairs: int, dimensions: int) -> Density:
        """Make the density, not fitted yet, for `pairs` pairs with features of `dimensions` numbers."""
        if self.model == "mixture":
            covariance = self.covariance
            if covariance == "auto":
                covariance = "full" if self._values(pairs, dimensions, "full") >= VALUES_PER_PARAMETER else "diag"
            return GaussianMixture(
                self.components, covariance, reg_covar=self.reg_covar, max_iter=self.max_iter, seed=self.seed
            )
        if self.model == "svm":
            return OneClassSVM(nu=self.nu)
        return density_class(self.model, [*self.imports, self.model.rpartition(".")[0]])()

    def remarks(self, pairs: int, dimensions: int) -> list[str]:
        """Notes for the user if `pairs` pairs are too few for the mixture."""
        if self.model != "mixture":
            return []
        found = []
        covariance = self.covariance
        if covariance == "auto":
            covariance = "full"
            if (values := self._values(pairs, dimensions, covariance)) < VALUES_PER_PARAMETER:
                covariance = "diag"
                found.append(
                    f"diagonal covariances, because {pairs} pairs are too few for full ones: {values:.2g} numbers per "
                    f"parameter, and {VALUES_PER_PARAMETER} are needed"
                )
        if (values := self._values(pairs, dimensions, covariance)) < VALUES_PER_PARAMETER:
            parameters = free_parameters(self.components, dimensions, covariance)
            found.append(
                f"warning: {pairs} pairs are too few for the {parameters} parameters of {self.components} {covariance} "
                f"component(s) of {dimensions} dimensions: {values:.2g} numbers per parameter, and "
                f"{VALUES_PER_PARAMETER} are needed for reliable scores of new faces; add real faces, lower "
                "--components, or leave --covariance at auto"
            )
        return found

    def _values(self, pairs: int, dimensions: int, covariance: str) -> float:
        return pairs * dimensions / free_parameters(self.components, dimensions, covariance)


class Fitted(NamedTuple):
    """A fitted density, the number of pairs on all ranks that it was fitted to, and the pairing with its network."""

    density: Density
    pairs: int
    pairing: Pairing


def fit_density(
    train: Manifest,
    image_size: int,
    embed: EmbedRows,
    pairing: Pairing,
    config: DensityConfig,
    forge: Forge,
    device: torch.device,
) -> Fitted:
    """Fit a density to pairs of real faces, and print a warning if there are too few.

    If the combination is learned, its network is trained first; the density is fitted to pairs of other groups.

    Args:
        train: manifest with real faces of the split train.
        image_size: side of the images in pixels.
        embed: function that computes embeddings.
        pairing: how pairs are formed and combined.
        config: settings of the density.
        forge: function that makes the pseudo-deepfakes that a combination is learned from.
        device: device on which the density is fitted.

    Raises:
        UserError: there is no pair.
    """
    own = own_rows(pair_group(train.table))
    embeddings = embed(CropDataset(train, image_size), own, "embedding")
    kept = None
    if pairing.combination == LEARNED:
        both = embed(forge(train), own, "embedding, forged")
        pairing, kept = _learned(train, own, Versions(embeddings, both[0::2], both[1::2]), pairing)
    probes, features = pair_features(train.table.iloc[own], embeddings, pairing)
    if kept is not None:
        chosen = np.isin(own[probes], kept)
        probes, features = probes[chosen], features[torch.from_numpy(chosen)]
    if not (pairs := count(len(features))):
        raise UserError(_NO_PAIRS)
    warn_of_equal_pairs(count(equal_pairs(features, pairing.combination)), pairs)
    for remark in config.remarks(pairs, features.shape[1]):
        console.print(remark)
    density = config.build(pairs, features.shape[1])
    density.fit(features.to(device), numbers=torch.from_numpy(own[probes]))
    if not density.state()[1].get("converged", True):
        console.print(
            f"EM has not converged after {config.max_iter} iterations: raise --max-iter, or lower --components"
        )
    return Fitted(density, pairs, pairing)


def _learned(train: Manifest, own: np.ndarray, versions: Versions, pairing: Pairing) -> tuple[Pairing, np.ndarray]:
    """The pairing with its network, and the rows of `train` that are probes of pairs which the network has not seen.

    `versions` has the embeddings of this rank's rows `own`; every rank learns from those of all ranks.
    """
    parts = everyone((own, versions))
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    whole = Versions(*(np.concatenate(kind)[order] for kind in zip(*(found for _, found in parts), strict=True)))
    pairs = pairing.suspect_pairs(train.table)
    if not len(pairs):
        raise UserError(_NO_PAIRS)
    network, unseen = learn_combination(whole, pairs, pairing.seed)
    console.print(f"combination learned from {len(pairs) - int(unseen.sum()) or len(pairs)} pairs of {len(pairs)}")
    return replace(pairing, network=network), pairs.probe[unseen]


def warn_of_equal_pairs(equal: int, pairs: int) -> None:
    """Print a warning if pairs have two equal images."""
    if equal:
        console.print(
            f"warning: {equal} of {pairs} pairs have two equal images, as in a frozen video: there is no difference "
            "to score, so their anomaly scores have no meaning"
        )


def validation_threshold(
    val: Manifest, image_size: int, embed: EmbedRows, fitted: Fitted, forge: Forge, device: torch.device
) -> float | None:
    """Youden's threshold between pairs of real validation faces and pairs of pseudo-deepfakes made from them.

    Both kinds use the same pairs; real faces are not altered, as in fitting. The pairs of all ranks are used.

    Args:
        val: manifest with real faces of the split val.
        image_size: side of the images in pixels.
        embed: function that computes embeddings.
        fitted: the fitted density and its pairing.
        forge: function that makes the pseudo-deepfakes.
        device: device of the density.

    Returns:
        The threshold; None, after a note, if the split has no pairs.
    """
    density, _, pairing = fitted
    group = pair_group(val.table)
    if not (group.duplicated().any() or (pairing.combination == "single" and len(val))):
        console.print("the split val has no pairs, so the anomaly score has no threshold (no ACC)")
        return None
    own = own_rows(group)
    real = embed(CropDataset(val, image_size), own, "validation")
    both = embed(forge(val), own, "validation, forged")  # the real face, recolored like its forgery, and the forgery

    def scores(embeddings: np.ndarray) -> np.ndarray:
        features: Tensor = pair_features(val.table.iloc[own], embeddings, pairing).features
        return np.concatenate(everyone(score_features(density, features, device)))

    parts = [scores(real), scores(both[1::2])]
    label, score = np.repeat([0, 1], [len(part) for part in parts]), np.concatenate(parts)
    found = auc(label, score)
    console.print(f"AUC of validation pairs, real against pseudo-deepfakes: {percent(found)} %")
    if float(percent(found)) < 50:
        console.print(
            "warning: this is below chance: the model gives real pairs higher scores than forged ones, so its scores "
            "are of no use; fit it to more faces, or with other settings"
        )
    return youden_threshold(label, score)


def training_keys(train: Manifest, val: Manifest, known: Manifest) -> tuple[list[str], list[str]]:
    """Identities, videos and crops that the model was fitted to, for the leak check of test data.

    Args:
        train: real faces that the density was fitted to.
        val: real faces that gave the threshold.
        known: all rows of the manifests, in which names are looked up.

    Returns:
        All keys, and those of them that only the faces of the threshold have.
    """
    fitted, chosen = (leak_keys(part.table, known.table) | content_keys(part.table, part.root) for part in (train, val))
    return sorted(fitted | chosen), sorted(chosen - fitted)
