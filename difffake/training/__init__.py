"""What needs a Trainer: the LightningModule, optimizers, schedules and the `fit` command."""
