"""What others say of the chart and the examples: Helm's own lint, kube-score's policies, Strimzi's own classes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.chart.rendering import CHART, EXAMPLES
from tests.cluster import tools
from tests.services import ServiceUnavailable
from tests.services.processes import cache_folder

HERE = Path(__file__).parent
STRIMZI = "0.48.0"
WAYS = {
    "example": [f"--values={EXAMPLES}/values.yaml"],
    "keda": [f"--values={EXAMPLES}/values.yaml", "--set=keda.enabled=true,keda.triggerAuthentication=kafka"],
    "sqlite": [f"--values={EXAMPLES}/values-sqlite.yaml"],
}
IGNORED = {
    "container-image-pull-policy": "tags are never moved, and a digest can be named",
    "container-ephemeral-storage-request-and-limit": "all that can be written is /tmp, whose volume has a limit",
    "deployment-has-host-podantiaffinity": "topology spread says the same, and leaves no pod without a node",
}


def said(*command: str | Path, text: str | None = None) -> tuple[int, str]:
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    return done.returncode, done.stdout


def rendered(words: list[str]) -> str:
    code, text = said(tools.helm(), "template", "calends", CHART, "--namespace=calends", *words)
    assert code == 0, text
    return text


def scored(text: str) -> tuple[int, str]:
    ignored = [f"--ignore-test={name}" for name in IGNORED]
    words = ["score", "-", "--kubernetes-version=v1.33", "--exit-one-on-warning", "--output-format=ci"]
    return said(tools.kube_score(), *words, "--ignore-container-cpu-limit", *ignored, text=text)


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS)
def test_helm_lints_it_strictly(words: list[str]) -> None:
    code, text = said(tools.helm(), "lint", "--strict", "--kube-version=1.36.0", CHART, *words)

    assert code == 0, text


def test_helm_packs_it(tmp_path: Path) -> None:
    code, text = said(tools.helm(), "package", CHART, f"--destination={tmp_path}")

    assert code == 0, text
    (archive,) = tmp_path.glob("calends-*.tgz")
    assert said(tools.helm(), "template", "calends", archive, *WAYS["example"])[0] == 0


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS)
def test_kube_score_finds_nothing(words: list[str]) -> None:
    code, text = scored(rendered(words))

    assert code == 0, [line for line in text.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert text.count("[OK]") > 20


def test_kube_score_would_find_what_is_wrong() -> None:
    code, text = scored(rendered([*WAYS["example"], "--set=networkPolicy.enabled=false"]))

    assert code == 1
    assert "The pod does not have a matching NetworkPolicy" in text


@pytest.fixture(scope="module")
def strimzi() -> Path:
    folder = cache_folder() / f"strimzi-{STRIMZI}"
    if not folder.is_dir():
        copy = ["mvn", "-q", "-B", "-f", str(HERE / "strimzi" / "pom.xml"), "dependency:copy-dependencies"]
        code, text = said(*copy, f"-DoutputDirectory={folder}")
        if code != 0:
            raise ServiceUnavailable(f"Strimzi's classes for tests: Maven could not fetch them: {text[-500:]}")
    return folder


def judged(strimzi: Path, file: Path) -> tuple[int, str]:
    return said("java", "-cp", f"{strimzi}/*", HERE / "strimzi" / "Check.java", file)


def test_strimzi_knows_every_field_of_the_example(strimzi: Path) -> None:
    code, text = judged(strimzi, EXAMPLES / "kafka-strimzi.yaml")

    assert (code, text.splitlines()[-1]) == (0, "4 objects, 0 problems")


def test_strimzi_would_find_a_field_that_it_does_not_know(strimzi: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text((EXAMPLES / "kafka-strimzi.yaml").read_text().replace("partitions: 12", "partition: 12"))

    code, text = judged(strimzi, broken)

    assert code == 1
    assert "KafkaTopic.Spec: unknown field partition" in text
