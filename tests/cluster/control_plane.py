"""A real Kubernetes control plane on loopback: API server, controllers, scheduler, etcd. Its one node runs nothing."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cluster import tools
from tests.cluster.kubelet import Kubelet
from tests.services.processes import Process, free_ports, wait_until, work_folder

TOKEN = "of-this-test-alone"
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
contexts: [{{name: here, context: {{cluster: here, user: admin}}}}]
"""


@dataclass(frozen=True)
class ControlPlane:
    folder: Path
    kubelet: Kubelet

    def kubectl(self, *words: str, check: bool = True, text: str | None = None) -> str:
        """What it prints, its errors included."""
        return self._run([str(tools.kube()), "kubectl", *words], check, text)

    def helm(self, *words: str, check: bool = True) -> str:
        return self._run([str(tools.helm()), *words], check)

    def _run(self, command: list[str], check: bool, text: str | None = None) -> str:
        env = os.environ | {"KUBECONFIG": str(self.folder / "kubeconfig"), "HELM_CACHE_HOME": str(self.folder / "helm")}
        done = subprocess.run(
            command, input=text, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
        )
        assert done.returncode == 0 or not check, f"{command[1:]}: {done.stdout}"
        return done.stdout


@contextlib.contextmanager
def control_plane(emulated: str | None = None) -> Iterator[ControlPlane]:
    """`emulated`: an older version that it behaves as, e.g. 1.33."""
    with work_folder("kubernetes") as folder, contextlib.ExitStack() as running:
        etcd, peer, api, controllers, scheduler = free_ports(5)
        server = f"https://127.0.0.1:{api}"
        (folder / "kubeconfig").write_text(KUBECONFIG.format(server=server, token=TOKEN))
        (folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        _write_key(folder / "accounts.key")
        older = [f"--emulated-version={emulated}"] if emulated else []

        def start(role: str, words: list[str], ready: Callable[[], bool]) -> None:
            process = Process([str(tools.kube()), role, *words], folder / f"{role}.log")
            process.start()
            running.callback(process.stop)
            wait_until(ready, process, role)

        start("etcd", _etcd(etcd, peer), lambda: _answers(f"http://127.0.0.1:{etcd}/readyz"))
        start("apiserver", [*_apiserver(etcd, api), *older], lambda: _answers(f"{server}/readyz"))
        kubelet = Kubelet(server, TOKEN)
        kubelet.start()
        running.callback(kubelet.ended.set)
        plane = ControlPlane(folder, kubelet)
        keys = ["--service-account-private-key-file=accounts.key", "--use-service-account-credentials=true"]

        def started() -> bool:
            return "default" in plane.kubectl("get", "serviceaccounts", check=False)

        start("controllers", [*_client("controllers", controllers), *keys, *older], started)
        start("scheduler", [*_client("scheduler", scheduler), *older], lambda: True)
        yield plane


def _etcd(port: int, peer: int) -> list[str]:
    return [
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]


def _apiserver(etcd: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--cert-dir=certificates",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=accounts.key",
        "--service-account-signing-key-file=accounts.key",
        "--endpoint-reconciler-type=none",
    ]


def _client(role: str, port: int) -> list[str]:
    return [
        "--kubeconfig=kubeconfig",
        "--authentication-kubeconfig=kubeconfig",
        "--authorization-kubeconfig=kubeconfig",
        "--authentication-tolerate-lookup-failure=true",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={role}-certificates",
    ]


def _answers(url: str) -> bool:
    trust = ssl._create_unverified_context() if url.startswith("https") else None
    try:
        return bool(urllib.request.urlopen(url, context=trust, timeout=5).status == 200)
    except OSError:
        return False


def _write_key(file: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
