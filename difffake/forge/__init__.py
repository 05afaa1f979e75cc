"""Forgeries of real or drawn faces, for a testbed that needs no license."""
