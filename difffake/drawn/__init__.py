"""Procedural faces with exact landmarks, for tests and the demo."""
