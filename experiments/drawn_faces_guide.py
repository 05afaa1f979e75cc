"""Trains the small latent diffusion model that ships with the package, on drawn people whom no demo shows.

    python experiments/drawn_faces_guide.py OUT

Half an hour on two CPU cores. OUT/model then goes to difffake/models/drawn_faces, without its logs.
"""

import argparse
from pathlib import Path

from difffake.data.drawn import DrawnDataset, write_drawn_faces
from difffake.diffusion.pretrain import pretrain_guide
from difffake.drawn.people import PHONE, STUDIO

SEED = 1000
"""The demo and the tests draw with small seeds."""
SETS = (
    DrawnDataset("drawn-studio", STUDIO, (220, 20, 0), 1, 8),
    DrawnDataset("drawn-phone", PHONE, (110, 10, 0), 1, 8),
)


def main() -> None:
    """Draw, then train."""
    parser = argparse.ArgumentParser(description="The model of drawn faces that ships with the package.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--vae-steps", type=int, default=1500)
    parser.add_argument("--unet-steps", type=int, default=3000)
    options = parser.parse_args()
    manifests = [options.out / drawn.name / "manifest.parquet" for drawn in SETS]
    for number, (drawn, manifest) in enumerate(zip(SETS, manifests, strict=True)):
        if not manifest.is_file():
            write_drawn_faces(manifest.parent, drawn, SEED + number)
    pretrain_guide(
        manifests, options.out / "model", vae_steps=options.vae_steps, unet_steps=options.unet_steps, overwrite=True
    )


if __name__ == "__main__":
    main()
