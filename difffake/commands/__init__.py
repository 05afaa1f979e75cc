"""The commands of `difffake`: one file per command, with the same name."""
