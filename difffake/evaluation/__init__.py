"""Protocols, result tables, intervals, figures and reports."""
