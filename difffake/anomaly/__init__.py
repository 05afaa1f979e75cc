"""Differential anomaly detection: pairs, combinations and density models of natural differences."""
