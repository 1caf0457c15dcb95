"""Programs of others, built from Go modules once into the user's cache, keyed by version: minutes the first time.

`python -m tests.cluster.tools` builds them all. Nothing is put into the repository or onto the path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.services import ServiceUnavailable
from tests.services.processes import cache_folder

HELM, KUBE_SCORE, KUBERNETES = "4.3.1", "1.20.0", "1.36.3"
HERE = Path(__file__).parent
NEEDS = "Go on the path (Debian: apt install golang), and its module proxy"


def helm() -> Path:
    return _installed("helm", HELM, f"helm.sh/helm/v4/cmd/helm@v{HELM}", minutes=2)


def kube_score() -> Path:
    return _installed("kube-score", KUBE_SCORE, f"github.com/zegl/kube-score/cmd/kube-score@v{KUBE_SCORE}", minutes=1)


def kube() -> Path:
    """kube-apiserver, its controllers and scheduler, kubectl and etcd in one program, by its first argument."""
    binary = cache_folder() / f"kube-{KUBERNETES}" / "kube"
    if not binary.exists():
        _say("Kubernetes", KUBERNETES, minutes=8)
        with tempfile.TemporaryDirectory() as work:
            _prepare(Path(work))
            _go("build", "-trimpath", "-ldflags", _version_flags(), "-o", f"{binary}.{os.getpid()}", ".", cwd=work)
        Path(f"{binary}.{os.getpid()}").rename(binary)
    return binary


def _prepare(work: Path) -> None:
    """Kubernetes requires its own parts as v0.0.0 and replaces them by folders: an import must name published ones."""
    shutil.copy(HERE / "kube" / "main.go", work)
    _go("mod", "init", "kubeservers", cwd=work)
    told = json.loads(_go("mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}", cwd=work))
    parts = re.findall(r"^\t(k8s\.io/\S+) v0\.0\.0(?: .*)?$", Path(told["GoMod"]).read_text(), re.MULTILINE)
    published = f"v0.{KUBERNETES.removeprefix('1.')}"
    replaced = [f"-replace={part}={part}@{published}" for part in parts]
    _go("mod", "edit", f"-require=k8s.io/kubernetes@v{KUBERNETES}", *replaced, cwd=work)
    _go("mod", "tidy", cwd=work)


def _version_flags() -> str:
    """Without them the server calls itself v0.0.0, and Helm stops."""
    major, minor, _ = KUBERNETES.split(".")
    values = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return "-s -w " + " ".join(f"-X {package}.{n}={v}" for package in packages for n, v in values.items())


def _installed(name: str, version: str, module: str, minutes: int) -> Path:
    folder = cache_folder() / f"{name}-{version}"
    if not (folder / name).exists():
        _say(name, version, minutes)
        _go("install", module, env={"GOBIN": str(folder)})
    return folder / name


def _go(*words: str, cwd: str | Path | None = None, env: dict[str, str] | None = None) -> str:
    """Raises ServiceUnavailable. At the lowest priority: a build takes all there is."""
    command: Sequence[str] = ["nice", "-n", "19", "go", *words]
    try:
        done = subprocess.run(command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True)
    except OSError:
        raise ServiceUnavailable(NEEDS) from None
    if done.returncode != 0:
        raise ServiceUnavailable(f"{NEEDS}; go {words[0]} said: {done.stderr.strip()[-500:]}")
    return done.stdout


def _say(name: str, version: str, minutes: int) -> None:
    cache_folder().mkdir(parents=True, exist_ok=True)
    words = f"building {name} {version} from its Go modules, once: about {minutes} minutes of two cores"
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for build in (helm, kube_score, kube):
        print(build())
