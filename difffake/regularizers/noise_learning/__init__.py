"""Attention-guided noise learning (ANL)."""
