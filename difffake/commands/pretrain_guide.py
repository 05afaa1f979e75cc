"""The command `pretrain-guide`: train a small latent diffusion model on any real faces."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import torch

from difffake.commands.parse import AtLeast
from difffake.data.manifest import Manifest, manifest_file
from difffake.diffusion.pretrain import PATCH, Settings, load_faces, pretrain
from difffake.diffusion.pretrain_taef2 import pretrain_taef2
from difffake.errors import UsageError, UserError
from difffake.files import refuse_existing, resumable_folder, sha256
from difffake.models.device import choose_device
from difffake.progress import console

EXAMPLES = (
    "difffake pretrain-guide --manifest data/lfw data/utkface --autoencoder taef2 --image-size 128 --out models/faces",
    "difffake pretrain-guide --manifest data/lfw --out models/lfw-faces",
    "difffake fit --config configs/guide-small.yaml --data.manifest data/forged-lfw "
    "--model.diffusion.name models/lfw-faces --out runs/guided",
)


def pretrain_guide(
    manifest: list[Path],
    out: Path,
    image_size: Annotated[int, AtLeast(PATCH)] = 96,
    autoencoder: Literal["own", "taef2"] = "own",
    vae_steps: Annotated[int, AtLeast(1)] = 1500,
    unet_steps: Annotated[int, AtLeast(1)] = 3000,
    batch_size: Annotated[int, AtLeast(4)] = 64,
    latents: Path | None = None,
    workers: Annotated[int, AtLeast(0)] = 2,
    device: str = "auto",
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Train a small latent diffusion model on real faces: a frozen model to use where Stable Diffusion is too large.

    To continue an interrupted run, run the same command again.

    Args:
        manifest: one or more manifests. Real faces of the split train are the training data; those of val are used to
            measure the model.
        out: folder to write, in diffusers' layout: vae/, unet/, scheduler/, samples.png, training.json.
        image_size: side of the images in pixels, a multiple of 16. Use the model at about this size.
        autoencoder: own (a small VAE, trained first), or taef2 (that of FLUX.2, pretrained: only the U-Net is trained).
        vae_steps: number of optimizer steps of the VAE, if it is trained.
        unet_steps: number of optimizer steps of the U-Net.
        batch_size: latents per step of the U-Net. A step of the VAE has a quarter as many patches.
        latents: folder for cached latents of taef2; by default latents/ beside each manifest.
        workers: processes that load images for taef2; 0 loads them in this process.
        device: auto, cpu, cuda or cuda:N.
        seed: random seed of training.
        overwrite: replace an existing output folder, or what an interrupted run with other settings left.
    """
    if image_size % 16:
        raise UsageError(f"--image-size {image_size} must be a multiple of 16")
    where = choose_device(device)
    real = Manifest.concat([Manifest.read(path) for path in manifest]).select(label=0)
    if not len(real.select(split="train")):
        raise UserError(f"{manifest[0]} has no real faces in the split train: prepare the data with such a split")
    real.check_files(splits=("train", "val"))
    refuse_existing(out, overwrite, manifest)
    taef2 = autoencoder == "taef2"
    settings = Settings(image_size, 0 if taef2 else vae_steps, unet_steps, batch_size, seed, where.type, autoencoder)
    files = [sha256(manifest_file(path)) for path in manifest]
    note = json.dumps({**asdict(settings), "manifests": files, "torch": torch.__version__})
    with resumable_folder(out, note, overwrite) as folder:
        if taef2:
            parts = [Manifest.read(path).select(label=0).select(split="train") for path in manifest]
            used = [part for part in parts if len(part)]
            count = pretrain_taef2(used, real.select(split="val"), settings, folder, latents, workers)
        else:
            faces, held_out = (load_faces(real.select(split=name), image_size, seed, name) for name in ("train", "val"))
            pretrain(faces, held_out, settings, folder)
            count = len(faces)
    console.print(f"{out}: a model trained on {count} faces; see {out / 'samples.png'}")
