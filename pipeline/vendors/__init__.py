"""The vendors, found by walking this folder and the entry point group `calends.vendors`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from pipeline.vendors.contract import Vendor


@cache
def vendors() -> dict[str, Vendor]:
    """All vendors by name, the folders of this package first."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}").VENDOR
        for module in pkgutil.iter_modules(__path__)
        if module.ispkg
    ]
    found += [point.load() for point in entry_points(group="calends.vendors")]
    return {vendor.name: vendor for vendor in found}
