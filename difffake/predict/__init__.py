"""Scores for images and videos."""
