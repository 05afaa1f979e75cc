"""Scores for pictures and videos."""
