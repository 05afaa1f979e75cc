"""Networks of methods, which are trained once per run on real faces of the training split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from difffake.forge.methods import METHODS
from difffake.forge.task import Task
from difffake.forge.tools.bottleneck import Bottleneck, save_network, train
from difffake.forge.work import Worker, enough_pictures, one_thread
from difffake.progress import console, track
from difffake.randomness import generator

STEPS = 600
MAX_FACES = 4000
"""Largest number of training faces; with so few steps, more change little."""


def train_networks(worker: Worker, tasks: Sequence[Task], rows: Sequence[int], folder: Path) -> None:
    """Train the network of each chosen method that has one, and save it to folder/METHOD.safetensors.

    A file from an interrupted run is kept. A network that no task can use is not trained.

    Args:
        worker: worker that reads faces.
        tasks: all tasks of the run.
        rows: rows of the training faces.
        folder: folder for the networks.
    """
    settings = worker.settings
    rows = [rows[i] for i in sorted(generator(settings.seed).permutation(len(rows))[:MAX_FACES])]
    for method in settings.methods:
        path = folder / f"{method}.safetensors"
        needed = METHODS[method].network
        if needed is None or path.is_file() or not any(enough_pictures(needed, task) for task in tasks):
            continue
        console.print(f"{method}: training a network on {len(rows)} real faces")
        patches = np.stack([needed.frame.patch(worker.face(row)) for row in track(rows, "faces")])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = Bottleneck(needed.side, needed.channels)
        folder.mkdir(exist_ok=True)
        with one_thread():
            train(network, patches, STEPS, settings.seed, description=method)
        save_network(path, network)
