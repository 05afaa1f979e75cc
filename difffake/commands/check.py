"""The command `check`: what is wrong with a data set, before anything is trained or tested on it."""

from pathlib import Path
from typing import Annotated

from difffake.commands.parse import AtLeast
from difffake.data.check.finding import by_level
from difffake.data.check.run import check as check_manifests
from difffake.data.pseudo import PseudoConfig
from difffake.evaluation.check_page import write_check_page
from difffake.files import refuse_existing
from difffake.forge.findings import audit_outside, audit_shortcuts
from difffake.forge.pseudo import Kind, kinds
from difffake.progress import console

EXAMPLES = (
    "difffake check data/lfw --out lfw.html",
    "difffake check data/ffpp data/celebdf",
    "difffake check data/dfdc --frames 0",
    "difffake check data/forged --shortcuts --outside-mask",
    "difffake check data/lfw --shortcuts --outside-mask --autoencoder taef2",
)


def check(
    manifests: list[Path],
    /,
    out: Path | None = None,
    frames: Annotated[int, AtLeast(0)] | None = None,
    shortcuts: bool = False,
    outside_mask: bool = False,
    autoencoder: str | None = None,
    twin_folder: Path | None = None,
    workers: Annotated[int, AtLeast(0)] = 0,
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> int:
    """Look for what is wrong with data sets: a line for each finding, and exit status 1 for a fault.

    Faults are missing and broken crops, and people, videos, sources, targets or pictures that two splits share.
    Warnings are duplicates within a split, labels and compressions that are mixed or uneven, small faces, fakes without
    the real faces that they were made of, and what audits find.

    Args:
        manifests: manifests that are used together, or the folders that they are in.
        out: HTML page to write, with samples of each class and method and with the duplicates.
        frames: open at most so many crops of each video, evenly spaced, and all stills; 0 opens none. By default every
            crop is opened.
        shortcuts: see whether trivial cues (file size, color, sharpness, border) tell real from fake.
        outside_mask: see whether pixels outside the forged region tell real from fake, in a testbed of difffake forge
            and in pseudo-deepfakes.
        autoencoder: audit pseudo-deepfakes of twins as well, made with taef2, a diffusion model's VAE or the folder
            of a VAE; --shortcuts then audits pseudo-deepfakes too.
        twin_folder: folder where twins are stored, by default twins/ beside each manifest.
        workers: processes; 0 is one per core.
        seed: seed of samples and audits.
        overwrite: replace an existing page.

    Returns:
        The exit status: 1 if there is a fault.
    """
    if out is not None:
        refuse_existing(out, overwrite, manifests)
    checked = check_manifests(manifests, frames, workers)
    for found in checked.findings:
        print(found)
    audits = []
    pseudo = [Kind()]
    if autoencoder and (shortcuts or outside_mask):
        import torch  # here, because a check without twins needs neither torch nor a network

        from difffake.diffusion.twins import make_twins

        config = PseudoConfig(autoencoder=autoencoder, twin_folder=str(twin_folder or ""))
        pseudo = kinds(config, make_twins(checked.usable, config, torch.device("cpu")))
    if shortcuts:
        audits.append(audit_shortcuts(checked.usable, workers, seed, pseudo if autoencoder else ()))
    if outside_mask:
        audits.append(audit_outside(checked.usable, workers, seed, pseudo))
    for audit in audits:
        for found in by_level(audit.findings):
            print(found)
    if out is not None:
        write_check_page(checked, audits, out, overwrite, seed)
        console.print(f"wrote {out}")
    return int(any(found.level == "fault" for found in checked.findings))
