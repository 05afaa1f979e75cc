"""Networks that are trained once for a whole run, on real faces of the training split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from difffake.forge.methods import AUTOENCODER, MOUTH_TEXTURE
from difffake.forge.task import Task
from difffake.forge.tools.bottleneck import LOWER_FACE, WHOLE_FACE, Bottleneck, save_network, train
from difffake.forge.work import Worker, enough_pictures, one_thread
from difffake.progress import console, track
from difffake.randomness import generator

STEPS = 600
MAX_FACES = 4000
"""More faces than that change little in so few steps."""

# What each method's network sees, and the side and channels of its code. The mouth keeps its shape through a code of
# 8 x 8; to change a person, the code must say less about where things are.
_SETTINGS = {MOUTH_TEXTURE: (LOWER_FACE, 8, 12), AUTOENCODER: (WHOLE_FACE, 4, 32)}


def train_networks(worker: Worker, tasks: Sequence[Task], rows: Sequence[int], folder: Path) -> None:
    """Train the network of each chosen method that has one, on the faces of `rows`, to folder/METHOD.safetensors.

    What is there already, from an interrupted run, is kept, and what no task can use is left out.
    """
    settings = worker.settings
    rows = [rows[i] for i in sorted(generator(settings.seed).permutation(len(rows))[:MAX_FACES])]
    for method in settings.methods:
        path = folder / f"{method}.safetensors"
        if method not in _SETTINGS or path.is_file():
            continue
        if method == AUTOENCODER and not any(enough_pictures(task) for task in tasks):
            continue  # nobody would use it
        frame, side, channels = _SETTINGS[method]
        console.print(f"{method}: training a network on {len(rows)} real faces")
        patches = np.stack([frame.patch(worker.face(row)) for row in track(rows, "faces")])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = Bottleneck(side, channels)
        folder.mkdir(exist_ok=True)
        with one_thread():
            train(network, patches, STEPS, settings.seed, description=method)
        save_network(path, network)
