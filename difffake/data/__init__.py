"""The manifest, its keys, data sets, pseudo-deepfakes, augmentations and loaders."""
