"""What needs a Trainer: the LightningModule, optimisers, schedules and the `fit` command."""
