"""Readers: from a data set's own layout to a list of files with labels. No other module depends on a layout."""
