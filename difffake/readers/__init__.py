"""Readers: from a data set's own layout to a list of files with labels. Nothing after them knows its name."""
