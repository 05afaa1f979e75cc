"""All methods by name, in alphabetical order. Every module of this folder defines one, named METHOD."""

from importlib import import_module
from pkgutil import iter_modules

from difffake.forge.method import Method


def _found() -> dict[str, Method]:
    modules = sorted(module.name for module in iter_modules(__path__, f"{__name__}."))
    methods: list[Method] = [import_module(name).METHOD for name in modules]
    return {method.name: method for method in methods}


METHODS = _found()
