"""Networks as plain torch modules: encoder, detector, checkpoints."""
