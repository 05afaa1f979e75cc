"""DiffusionFake's guide branch."""
