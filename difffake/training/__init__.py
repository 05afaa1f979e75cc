"""All that needs Lightning's Trainer: the LightningModule, its data, optimizers, schedules and callbacks."""
