"""The chart on a real API server, whose namespaces enforce the *restricted* standard: it lives, and leaves nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.chart.rendering import CHART, EXAMPLES
from tests.chart.schemas import definitions
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.tools import KUBERNETES

VALUES, SQLITE = f"--values={EXAMPLES}/values.yaml", f"--values={EXAMPLES}/values-sqlite.yaml"
WHOLE = [VALUES, "--set=keda.enabled=true,keda.triggerAuthentication=kafka"]
WAIT = ["--wait", "--wait-for-jobs", "--timeout=180s"]
NOT_OURS = re.compile(r"^(configmap/kube-root-ca.crt|serviceaccount/default|event|lease|pod.metrics)")


@pytest.fixture(scope="module", params=["1.33", None], ids=["1.33", KUBERNETES])
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    with control_plane(request.param) as plane:
        for file in definitions():
            plane.kubectl("apply", "--server-side", "-f", str(file))
        plane.kubectl("wait", "--for=condition=Established", "customresourcedefinition", "--all", "--timeout=60s")
        yield plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    name = f"calends-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    plane.kubectl("label", "namespace", name, *levels)
    return name


def there(plane: ControlPlane, namespace: str) -> set[str]:
    """Whatever is in the namespace, of any kind, but for what Kubernetes puts into each."""
    kinds = plane.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    told = plane.kubectl("get", ",".join(kinds), "--namespace", namespace, "--output=name", "--ignore-not-found")
    return {name for name in told.split() if "/" in name and not NOT_OURS.match(name)}


def test_the_server_takes_every_field_and_warns_of_none(plane: ControlPlane, namespace: str) -> None:
    rendered = plane.helm("template", "calends", str(CHART), "--namespace", namespace, "--no-hooks", *WHOLE)

    apply = ["apply", "--namespace", namespace, "--dry-run=server", "--validate=strict", "-f", "-"]
    told = plane.kubectl(*apply, text=rendered)

    assert told.count("(server dry run)") >= 14
    assert "Warning" not in told


@pytest.mark.parametrize("file", ["postgres-cloudnativepg", "external-secrets"])
def test_the_server_takes_an_example(plane: ControlPlane, namespace: str, file: str) -> None:
    told = plane.kubectl(
        *("apply", "--namespace", namespace, "--dry-run=server", "--validate=strict", "-f", f"{EXAMPLES}/{file}.yaml")
    )

    assert "(server dry run)" in told
    assert "Warning" not in told


def test_a_release_lives_and_leaves_nothing(plane: ControlPlane, namespace: str) -> None:
    here = ["--namespace", namespace]
    before = there(plane, namespace)

    plane.helm("install", "calends", str(CHART), *here, *WHOLE, *WAIT)
    assert (ready(plane, namespace, "calends"), ready(plane, namespace, "calends-webhooks")) == (1, 2)
    assert migrations(plane, namespace) == [1]
    assert "Succeeded" in plane.helm("test", "calends", *here)

    plane.helm("upgrade", "calends", str(CHART), *here, VALUES, "--set=replicas=3,image.tag=other", *WAIT)
    assert ready(plane, namespace, "calends") == 3
    assert migrations(plane, namespace) == [1]
    assert images(plane, namespace) == {"registry.example.com/calends:other"}

    plane.helm("rollback", "calends", "1", *here, *WAIT)
    assert migrations(plane, namespace) == [1]
    assert images(plane, namespace) == {"registry.example.com/calends:0.1.0"}

    plane.helm("uninstall", "calends", *here, "--wait", "--timeout=180s")
    plane.kubectl("wait", "--for=delete", "pods", "--all", "--timeout=60s", *here)
    assert there(plane, namespace) == before


def test_a_rollout_leaves_no_gap(plane: ControlPlane, namespace: str) -> None:
    here = ["--namespace", namespace]
    plane.helm("install", "calends", str(CHART), *here, VALUES, *WAIT)
    upgrade = ["upgrade", "calends", str(CHART), *here, VALUES, "--set=image.tag=other", *WAIT]

    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(plane.helm, *upgrade)
        seen = [available(plane, namespace)]
        while not under_way.done():
            seen.append(available(plane, namespace))
        under_way.result()

    assert images(plane, namespace) == {"registry.example.com/calends:other"}
    assert len(seen) > 3
    assert min(seen) >= 2, seen


def test_a_ledger_in_a_file_is_all_that_stays(plane: ControlPlane, namespace: str) -> None:
    here = ["--namespace", namespace]
    plane.kubectl("apply", "-f", "-", text=volume(namespace))
    before = there(plane, namespace)

    plane.helm("install", "calends", str(CHART), *here, SQLITE, f"--set=ledger.volume.storageClass={namespace}", *WAIT)
    assert ready(plane, namespace, "calends") == 1
    plane.helm("uninstall", "calends", *here, "--wait", "--timeout=180s")

    plane.kubectl("wait", "--for=delete", "pods", "--all", "--timeout=60s", *here)
    assert there(plane, namespace) - before == {"persistentvolumeclaim/calends-ledger"}


def test_the_namespace_does_enforce_the_standard(plane: ControlPlane, namespace: str) -> None:
    """A Deployment that breaks it is taken; its pods are not, and only an event says so."""
    here = ["--namespace", namespace]
    rendered = plane.helm("template", "calends", str(CHART), *here, VALUES, "--no-hooks")

    told = plane.kubectl("apply", *here, "-f", "-", text=rendered.replace("runAsNonRoot: true", "runAsNonRoot: false"))
    assert 'would violate PodSecurity "restricted:latest"' in told
    plane.kubectl("wait", "--for=condition=ReplicaFailure", "deployment", "--all", "--timeout=60s", *here)
    assert plane.kubectl("get", "pods", "--output=name", *here) in (
        "",
        f"No resources found in {namespace} namespace.\n",
    )


def test_what_the_chart_refuses_never_reaches_the_server(plane: ControlPlane, namespace: str) -> None:
    before = there(plane, namespace)

    told = plane.helm(
        *("install", "calends", str(CHART), "--namespace", namespace, SQLITE, "--set=replicas=2"), check=False
    )

    assert "the ledger is SQLite, a file of one process" in told
    assert there(plane, namespace) == before


def ready(plane: ControlPlane, namespace: str, deployment: str) -> int:
    told = plane.kubectl("get", "deployment", deployment, "--namespace", namespace, "--output=json")
    return int(json.loads(told)["status"]["readyReplicas"])


def available(plane: ControlPlane, namespace: str) -> int:
    """Of the workers, or of the receivers where those are fewer."""
    told = json.loads(plane.kubectl("get", "deployments", "--namespace", namespace, "--output=json"))
    return min(deployment["status"].get("availableReplicas", 0) for deployment in told["items"])


def migrations(plane: ControlPlane, namespace: str) -> list[int]:
    """How often each of the Jobs that are there has succeeded."""
    told = json.loads(plane.kubectl("get", "jobs", "--namespace", namespace, "--output=json"))
    return [job["status"].get("succeeded", 0) for job in told["items"]]


def images(plane: ControlPlane, namespace: str) -> set[str]:
    told = json.loads(plane.kubectl("get", "deployments", "--namespace", namespace, "--output=json"))
    return {item["spec"]["template"]["spec"]["containers"][0]["image"] for item in told["items"]}


def volume(name: str) -> str:
    return f"""apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 5Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: {name}
  hostPath: {{path: /nowhere}}
"""
