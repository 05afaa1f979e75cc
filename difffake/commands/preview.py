"""The command `preview`: a picture of the fakes that training will use."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from difffake.commands.parse import AtLeast
from difffake.data.credits import credit
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig
from difffake.data.records import read_records
from difffake.errors import UserError
from difffake.evaluation.preview import (
    FORGED_CAPTION,
    FORGED_COLUMNS,
    KINDS,
    PSEUDO_CAPTION,
    PSEUDO_COLUMNS,
    TWIN_CAPTION,
    TWIN_KINDS,
    drawn_faces,
    forged_rows,
    pseudo_rows,
    real_faces,
)
from difffake.files import refuse_existing_file
from difffake.plots import save_figure, sheet
from difffake.progress import console

EXAMPLES = (
    "difffake preview --out sheet.png",
    "difffake preview --manifest data/lfw --out sheet.png --seed 3",
    "difffake preview --manifest data/lfw --autoencoder taef2 --out twins.png",
    "difffake preview --manifest data/forged --rows 3 --out forgeries.png",
)


def preview(
    manifest: Path | None = None,
    out: Path = Path("preview.png"),
    rows: Annotated[int, AtLeast(1)] = 2,
    autoencoder: str | None = None,
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Draw a sheet of forgeries, or of pseudo-deepfakes as training makes them.

    For a manifest of difffake forge, the sheet shows forgeries of each method: target, source, forgery, mask,
    difference. For any other manifest, or without one, it shows pseudo-deepfakes of real or drawn faces, one for each
    region and hull.

    Args:
        manifest: manifest from which faces are chosen at random; without it, the faces are drawn.
        out: picture to write; its name ends in .png or .jpg.
        rows: number of forgeries to show of each method and compression. Pseudo-deepfakes are always one of each kind.
        autoencoder: show pseudo-deepfakes of twins as well, made with taef2, a diffusion model's VAE or the folder of a
            VAE.
        seed: random seed of the choice of faces and of the pseudo-deepfakes.
        overwrite: replace the picture if it exists.
    """
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{out} (--out) is not the name of a picture: end it in .png or .jpg")
    refuse_existing_file(out, overwrite)
    faces = None if manifest is None else Manifest.read(manifest)
    records = None if faces is None else read_records(faces.root)
    credits = "" if faces is None else credit(faces)
    if faces is not None and records is not None:
        made = forged_rows(faces.root, records, rows, seed)
        counts = Counter(label.partition("\n")[0].replace(",", "") for label, _ in made)
        kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
        figure = sheet(FORGED_COLUMNS, made, f"Forgeries in {faces.root.name}", FORGED_CAPTION)
        save_figure(figure, out, vector=False, credit=credits)
        console.print(f"{out}: {len(made)} of {len(records)} forgeries in {faces.root} ({kinds})", markup=False)
        return
    config, twins = PseudoConfig(), None
    if autoencoder:
        import torch  # here, because a sheet without twins needs no network

        from difffake.diffusion.twins import TwinMaker

        config = PseudoConfig(autoencoder=autoencoder)
        twins = TwinMaker(config, torch.device("cpu"))
    made = pseudo_rows(drawn_faces(seed) if faces is None else real_faces(faces, seed), seed, config, twins)
    origin = "drawn faces" if faces is None else f"the real faces in {faces.root.name}"
    caption = PSEUDO_CAPTION + (TWIN_CAPTION if twins else "")
    save_figure(
        sheet(PSEUDO_COLUMNS, made, f"Pseudo-deepfakes of {origin}", caption), out, vector=False, credit=credits
    )
    of_twins = f", {len(TWIN_KINDS)} of twins" if twins else ""
    kinds = f"one of each of {len(KINDS)} regions and hulls, one coarse{of_twins}"
    console.print(f"{out}: {len(made)} pseudo-deepfakes of {origin}, {kinds}", markup=False)
