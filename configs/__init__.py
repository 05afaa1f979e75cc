"""Run configurations; installed as the package `difffake.configs`, so that `difffake demo` finds its own."""
