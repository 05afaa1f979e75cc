"""Manifest, readers, faces, video, pseudo-deepfakes, data module."""
