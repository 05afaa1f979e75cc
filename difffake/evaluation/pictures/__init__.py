"""Pictures of an evaluation: each function returns a matplotlib figure; `write.py` chooses and saves them."""
