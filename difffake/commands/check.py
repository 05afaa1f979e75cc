"""The command `check`: what is wrong with a data set, before anything is trained or tested on it."""

from pathlib import Path
from typing import Annotated

from difffake.commands.parse import AtLeast
from difffake.data.check.finding import by_level
from difffake.data.check.run import check as check_manifests
from difffake.data.manifest import Manifest
from difffake.evaluation.check_page import write_check_page
from difffake.files import refuse_existing
from difffake.forge.findings import audit_outside, audit_shortcuts
from difffake.progress import console

EXAMPLES = (
    "difffake check data/lfw --out lfw.html",
    "difffake check data/ffpp data/celebdf",
    "difffake check data/dfdc --frames 0",
    "difffake check data/forged --shortcuts --outside-mask",
)


def check(
    manifests: list[Path],
    /,
    out: Path | None = None,
    frames: Annotated[int, AtLeast(0)] | None = None,
    shortcuts: bool = False,
    outside_mask: bool = False,
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
    if shortcuts:
        audits.append(audit_shortcuts(Manifest.concat(checked.usable), workers, seed))
    if outside_mask:
        audits.append(audit_outside(checked.usable, workers, seed))
    for audit in audits:
        for found in by_level(audit.findings):
            print(found)
    if out is not None:
        write_check_page(checked, audits, out, overwrite, seed)
        console.print(f"wrote {out}")
    return int(any(found.level == "fault" for found in checked.findings))
