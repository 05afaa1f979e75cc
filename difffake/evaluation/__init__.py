"""Scoring of test data, result tables, figures and reports."""
