"""Procedural faces with exact landmarks, for tests and `difffake demo --drawn`."""
