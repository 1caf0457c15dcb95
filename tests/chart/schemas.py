"""What Kubernetes takes: the schemas of its versions, and of the kinds that others add, from the modules with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

from tests.chart.rendering import Thing, yaml_of
from tests.services import ServiceUnavailable

HOW = "the kinds of others for tests: Go on the path, as their schemas are in Go modules (Debian: apt install golang)"
KUBERNETES = ("1.30", "1.33", "1.37")
MODULES = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/cloudnative-pg/cloudnative-pg@v1.27.0": ("config/crd/bases/postgresql.cnpg.io_clusters.yaml",),
    "github.com/external-secrets/external-secrets@v0.20.4": (
        "config/crds/bases/external-secrets.io_externalsecrets.yaml",
    ),
}


@cache
def definitions() -> tuple[Path, ...]:
    """The files of the CustomResourceDefinitions. Raises ServiceUnavailable."""
    with ThreadPoolExecutor(len(MODULES)) as pool:
        folders = pool.map(_folder, MODULES)
        return tuple(folder / file for folder, files in zip(folders, MODULES.values(), strict=True) for file in files)


def problems(thing: Thing) -> Iterator[str]:
    """Why Kubernetes, or who defines its kind, would not take it. A field that nobody knows is a problem."""
    schema = _others().get((thing["apiVersion"], thing["kind"]))
    if schema is not None:
        yield from (f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(thing))
        return
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}"


def _folder(module: str) -> Path:
    try:
        done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, check=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        raise ServiceUnavailable(HOW) from None
    return Path(json.loads(done.stdout)["Dir"])


@cache
def _others() -> Mapping[tuple[str, str], Any]:
    found = {}
    for file in definitions():
        for definition in yaml_of(file.read_text()):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def _strict(node: Any) -> Any:
    """An OpenAPI schema as JSON Schema, in which an unknown field is an error."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
            node.setdefault("additionalProperties", False)
        if node.pop("x-kubernetes-int-or-string", False):
            node.pop("type", None)
            node["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _strict(child)
    return node
