"""Losses beside the classification loss. Each is a file or a folder; the training module knows none by name."""
