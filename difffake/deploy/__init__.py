"""The user's door: scores for files, and the demonstration of the whole pipeline."""
