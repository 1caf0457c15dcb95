"""The vendors, found by walking this folder and the entry point group `calends.vendors`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from pipeline.vendors.contract import Vendor

GROUP = "calends.vendors"
"""An entry point names a package like the folders here: `acme = acme_calendar:VENDOR`."""


@cache
def vendors() -> dict[str, Vendor]:
    """All vendors by name, the folders of this package first."""
    return {name: package.VENDOR for name, package in _packages().items()}


def simulator(name: str) -> Any:
    """The class `Simulator` beside a vendor, in the tree or outside; only the sandbox asks for it."""
    return importlib.import_module(f"{_packages()[name].__name__}.simulator").Simulator


@cache
def _packages() -> dict[str, ModuleType]:
    inside = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__) if module.ispkg]
    outside = [point.module for point in entry_points(group=GROUP)]
    found = [importlib.import_module(name) for name in (*inside, *outside)]
    return {package.VENDOR.name: package for package in found}
