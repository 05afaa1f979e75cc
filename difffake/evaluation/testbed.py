"""Data that this project drew or forged: numbers on them are never shown as those of a benchmark."""

from difffake.data.keys import FORGED

TESTBEDS = ("drawn", FORGED)
"""Prefixes of the names of such data sets."""
NOTE = "Measured on a testbed of this project (names with drawn or forged-): these are not public benchmark numbers."
