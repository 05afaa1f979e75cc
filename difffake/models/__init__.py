"""Networks as plain torch modules: encoder, head and detector; and their checkpoints."""
