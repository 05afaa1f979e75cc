"""The commands of `difffake`: a file for each, named as the command."""
