"""The chart renders what Kubernetes takes, says each thing once, and refuses in words what would fail later."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline import __version__
from pipeline.admin import page as admin_page
from pipeline.cli import COMMANDS
from pipeline.operate.check import check
from pipeline.telemetry import Telemetry
from tests.chart import settings_schema
from tests.chart.rendering import (
    CHART,
    EXAMPLES,
    ROOT,
    HelmError,
    Thing,
    example,
    lint,
    notes,
    one,
    pods,
    render,
    yaml_of,
)
from tests.chart.schemas import problems

EVERYTHING = example(
    keda={"enabled": True, "triggerAuthentication": "kafka"},
    existingSecret="calends",
    env={"HTTPS_PROXY": "http://proxy:3128"},
    image={"digest": f"sha256:{'0' * 64}", "pullSecrets": ["registry"]},
    monitoring={"runbooks": "https://wiki.example.com/calends"},
)
SQLITE = example("values-sqlite")
WITH_FILES = example("values-sqlite", rules={"relay.yaml": "rules: []\n"}) | {
    "settings": {name: value for name, value in SQLITE["settings"].items() if name != "rules"}
}
WAYS = {"example": example(), "everything": EVERYTHING, "sqlite": SQLITE, "files": WITH_FILES}
KAFKA, SHARED, OWN = "calends-kafka", "calends-vendors", "calends-webhooks"


@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS)
def test_kubernetes_takes_every_object(values: dict[str, Any]) -> None:
    things = render(values)

    assert len(things) >= 6
    assert [f"{t['kind']} {t['metadata']['name']}: {why}" for t in things for why in problems(t)] == []


@pytest.mark.parametrize("file", ["postgres-cloudnativepg", "external-secrets"])
def test_who_defines_its_kind_takes_an_example(file: str) -> None:
    things = yaml_of((EXAMPLES / f"{file}.yaml").read_text())

    assert things
    assert [why for thing in things for why in problems(thing)] == []


@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS)
def test_helm_finds_nothing_to_say(values: dict[str, Any]) -> None:
    said = lint(CHART, values, strict=True, kube_version="v1.36.0")["messages"]

    assert [words["error"] for words in said if words["error"] != "icon is recommended"] == []


def pods_of_all() -> list[Any]:
    return [pytest.param(pod, id=f"{way}-{name}") for way in WAYS for name, pod in pods(render(WAYS[way])).items()]


@pytest.mark.parametrize("pod", pods_of_all())
def test_a_pod_is_as_restricted_as_can_be(pod: Any) -> None:
    spec = pod["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"memory"}, "a CPU limit throttles what is in time"
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}


@pytest.mark.parametrize("pod", pods_of_all())
def test_a_pod_finds_all_that_it_names(pod: Any) -> None:
    spec = pod["spec"]
    volumes = {volume["name"] for volume in spec["volumes"]}
    paths = {route.path for route in admin_page(Telemetry(b"key"), *3 * [lambda: None]).routes}

    for container in spec["containers"]:
        ports = {port["name"] for port in container.get("ports", [])}
        probes = [container[name]["httpGet"] for name in container if name.endswith("Probe")]
        assert container["args"][0] in COMMANDS
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        assert {probe["port"] for probe in probes} <= ports
        assert {probe["path"] for probe in probes} <= paths


def test_only_its_own_pods_are_selected_and_each_is_inside_the_network_policy() -> None:
    things = render(EVERYTHING)
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(things).items()}
    workers = {"calends"}

    for thing, expected in (
        (one(things, "Deployment", "calends")["spec"]["selector"], workers),
        (one(things, "PodDisruptionBudget", "calends")["spec"]["selector"], workers),
        (one(things, "Deployment", OWN)["spec"]["selector"], {OWN}),
        (one(things, "PodDisruptionBudget", OWN)["spec"]["selector"], {OWN}),
        ({"matchLabels": one(things, "Service", OWN)["spec"]["selector"]}, {OWN}),
        (one(things, "NetworkPolicy", OWN)["spec"]["podSelector"], {OWN}),
        (one(things, "NetworkPolicy", "calends")["spec"]["podSelector"], set(labels)),
        (one(things, "PodMonitor")["spec"]["selector"], set(labels)),
    ):
        assert {n for n, has in labels.items() if thing["matchLabels"].items() <= has.items()} == expected


def test_two_releases_in_one_namespace_share_no_name() -> None:
    one_, other = ({(t["kind"], t["metadata"]["name"]) for t in render(EVERYTHING, release=r)} for r in ("a", "b"))

    assert one_ & other == set()


def test_the_longest_release_name_still_makes_names() -> None:
    names = [thing["metadata"]["name"] for thing in render(EVERYTHING, release="x" * 53)]

    assert [name for name in names if len(name) > 63] == []


@pytest.mark.parametrize(
    ("grace_period", "seconds"), [("8s", 12), ("500ms", 5), ("1.5s", 6), ("2m", 124), (30, 34), (0.5, 5), (None, 12)]
)
def test_the_grace_period_is_that_of_the_settings_and_a_little(grace_period: Any, seconds: int) -> None:
    settings = {} if grace_period is None else {"grace_period": grace_period}
    things = render(example(settings=settings))

    worker, receiver = pods(things)["calends"]["spec"], pods(things)[OWN]["spec"]
    (container,) = receiver["containers"]
    assert worker["terminationGracePeriodSeconds"] == seconds
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == 5
    assert receiver["terminationGracePeriodSeconds"] == seconds + 5


def test_a_rollout_takes_nobody_away_before_another_is_ready() -> None:
    for name in ("calends", OWN):
        strategy = one(render(example()), "Deployment", name)["spec"]["strategy"]
        assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_a_file_is_never_open_in_two_processes() -> None:
    deployment = one(render(SQLITE), "Deployment")

    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_the_ledger_outlives_the_release() -> None:
    claim = one(render(SQLITE), "PersistentVolumeClaim")

    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def as_mounted(things: list[Thing] | Any, folder: Path) -> Path:
    """The settings as a pod finds them, but for the places of what is mounted."""
    text = one(things, "ConfigMap", "calends")["data"]["calends.yaml"]
    here = {"/etc/calends/rules": str(ROOT / "configs" / "rules"), "/run/secrets/main-cluster-ca-cert/ca.crt": __file__}
    for place, own in here.items():
        text = text.replace(place, own)
    (folder / "calends.yaml").write_text(text)
    return folder / "calends.yaml"


@pytest.mark.parametrize("values", [example(), SQLITE], ids=["files", "inline"])
def test_a_worker_takes_the_settings_that_were_rendered(values: dict[str, Any], tmp_path: Path) -> None:
    assert check(as_mounted(render(values), tmp_path), secrets=False).problems == ()


def test_a_large_number_and_an_odd_text_reach_the_worker_as_they_are(tmp_path: Path) -> None:
    settings = {"brake": {"records": 30_000_000}, "kafka": {"group_id": "yes: # no"}}
    report = check(as_mounted(render(example(settings=settings)), tmp_path), secrets=False)

    assert report.settings is not None
    assert (report.settings.brake.records, report.settings.kafka.group_id) == (30_000_000, "yes: # no")


def test_a_rule_file_arrives_byte_for_byte() -> None:
    text = (ROOT / "configs" / "rules" / "invoices.yaml").read_text()
    values = {**WITH_FILES, "rules": {"invoices.yaml": text}}

    assert one(render(values), "ConfigMap", "calends-rules")["data"] == {"invoices.yaml": text}


def stamp(values: dict[str, Any]) -> str:
    return str(pods(render(values))["calends"]["metadata"]["annotations"])


def test_other_settings_start_the_workers_anew_and_other_rules_do_not() -> None:
    other_rules = {**SQLITE, "settings": {**SQLITE["settings"], "rules": []}}

    assert stamp(other_rules) == stamp(SQLITE)
    assert stamp(example("values-sqlite", settings={"log_level": "debug"})) != stamp(SQLITE)


def migration(values: dict[str, Any], revision: int = 1) -> str:
    return one(render(values, revision=revision), "Job")["metadata"]["name"]


def test_each_release_and_each_image_has_a_migration_of_its_own() -> None:
    names = [migration(example()), migration(example(), 2), migration(example(image={"tag": "2"}))]

    assert len(set(names)) == 3
    assert migration(example()) == names[0]


def test_nothing_is_a_hook_but_the_test() -> None:
    hooks = [t for t in render(EVERYTHING) if "helm.sh/hook" in t["metadata"].get("annotations", {})]

    assert [(t["metadata"]["name"], t["metadata"]["annotations"]["helm.sh/hook"]) for t in hooks] == [
        ("calends-check", "test")
    ]


def secrets_of(pod: Any) -> set[str]:
    (container,) = pod["spec"]["containers"]
    by_name = [source["secretRef"]["name"] for source in container.get("envFrom", [])]
    by_key = [e["valueFrom"]["secretKeyRef"]["name"] for e in container["env"] if "valueFrom" in e]
    return {*by_name, *by_key, *(v["secret"]["secretName"] for v in pod["spec"]["volumes"] if "secret" in v)}


def test_the_receiver_has_neither_the_ledger_nor_a_vendors_credential() -> None:
    found = pods(render(example()))

    assert secrets_of(found["calends"]) == {KAFKA, "main-cluster-ca-cert", SHARED, "calends-ledger-app"}
    assert secrets_of(found[OWN]) == {KAFKA, "main-cluster-ca-cert", OWN}


def test_without_secrets_of_its_own_the_receiver_has_the_workers() -> None:
    values = example(existingSecret="calends", webhooks={"mountedSecrets": []})

    assert secrets_of(pods(render(values))[OWN]) == {"calends", KAFKA, "main-cluster-ca-cert", SHARED}


def test_kafka_can_be_reached_at_its_own_ports() -> None:
    values = example(settings={"kafka": {"bootstrap_servers": "a:9095,b:9095,c:19092"}})
    ports = one(render(values), "NetworkPolicy", "calends")["spec"]["egress"][1]["ports"]

    assert [port["port"] for port in ports] == [9095, 19092, 443, 5432]


def test_the_rules_of_prometheus_are_the_tested_ones() -> None:
    assert one(render(example()), "PrometheusRule")["spec"] == yaml_of((CHART / "files" / "alerts.yaml").read_text())[0]


def test_a_runbook_is_linked_where_it_can_be_read() -> None:
    rules = [r for g in one(render(EVERYTHING), "PrometheusRule")["spec"]["groups"] for r in g["rules"]]
    links = {rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}

    assert links
    assert {f"https://wiki.example.com/calends/{Path(link).name}" for link in links} == links


@pytest.mark.parametrize(
    ("values", "runbooks"), [(example(), "docs/runbooks"), (EVERYTHING, "https://wiki.example.com/calends")]
)
def test_every_dashboard_is_handed_to_grafana_and_leads_to_the_runbooks(values: dict[str, Any], runbooks: str) -> None:
    files = sorted((CHART / "files" / "dashboards").glob("*.json"))
    maps = [t for t in render(values) if t["metadata"].get("labels", {}).get("grafana_dashboard")]

    assert {name: text for found in maps for name, text in found["data"].items()} == {
        file.name: file.read_text().replace('"docs/runbooks"', f'"{runbooks}"') for file in files
    }


def test_keda_scales_the_workers_by_the_lag_of_their_group() -> None:
    things = render(EVERYTHING)
    (trigger,) = one(things, "ScaledObject")["spec"]["triggers"]

    assert "replicas" not in one(things, "Deployment", "calends")["spec"]
    assert trigger["metadata"] == {
        "bootstrapServers": "main-kafka-bootstrap.kafka:9093",
        "consumerGroup": "calends",
        "lagThreshold": "1000",
        "version": "3.6.0",
        "sasl": "scram_sha512",
        "tls": "enable",
    }


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("values-sqlite", {"replicas": 2}, "there would be several replicas: set replicas: 1"),
    ("values-sqlite", {"keda": {"enabled": True}}, "there would be several replicas"),
    ("values-sqlite", {"ledger": {"volume": {"size": ""}}}, "would be lost with its pod: set ledger.volume.size"),
    ("values-sqlite", {"settings": {"ledger": {"url": "sqlite:///calends.db"}}}, "the volume is at /var/lib/calends"),
    ("values", {"ledger": {"volume": {"size": "1Gi"}}}, "ledger.volume is for SQLite"),
    (
        "values",
        {"settings": {"ledger": {"url": "postgresql://a:b@c/d"}}},
        "holds a password, and the settings are a ConfigMap",
    ),
    ("values", {"settings": {"kafka": {"bootstrap_servers": None}}}, "bootstrap_servers"),
    ("values-sqlite", {"settings": {"kafka": None}}, "kafka"),
    ("values", {"settings": {"admin": {"port": 0}}}, "probes need to know it"),
    ("values", {"settings": {"rules": "rules"}}, "the pods have no such file"),
    ("values", {"rules": {"a.yaml": "rules: []"}}, "rules are given in 2 places: give them once"),
    ("values", {"existingRules": ""}, "rules are given in 0 places"),
    ("values", {"rules": {"../a.yaml": "x"}}, "'../a.yaml' does not match pattern"),
    ("values-sqlite", {"webhooks": {"enabled": True}}, "no destination has a webhook: name its secret"),
    ("values", {"keda": {"enabled": True}}, "name a TriggerAuthentication"),
    (
        "values",
        {"keda": {"enabled": True, "triggerAuthentication": "k", "minReplicas": 9}},
        "keda.maxReplicas is 6 and keda.minReplicas is 9",
    ),
    ("values", {"keda": {"minReplicas": 0}}, "minimum: got 0, want 1"),
    ("values", {"replicas": "many"}, "at '/replicas': got string, want integer"),
    ("values", {"image": {"tags": "1"}}, "additional properties 'tags' not allowed"),
    ("values", {"settings": {"grace_period": "soon"}}, "'soon' does not match pattern"),
    ("values", {"settings": {"kafka": {"bootstrap_server": "a:1"}}}, "'bootstrap_server' not allowed"),
    ("values", {"settings": {"accounts": {"acme-ecal": {"credential": {"api_key": "hunter2"}}}}}, "want object"),
]


@pytest.mark.parametrize(("values", "change", "words"), REFUSED, ids=[words[:40] for *_, words in REFUSED])
def test_what_would_fail_later_is_refused_in_words(values: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmError, match=re.escape(words)):
        render(example(values, **change))


def test_nothing_is_installed_without_settings() -> None:
    with pytest.raises(HelmError, match="at '/settings': missing property 'destinations'"):
        render({})


def test_the_notes_say_what_to_do_next() -> None:
    said = notes(example())

    assert "rollout status deployment/calends\n" in said
    assert "helm test calends --namespace calends" in said
    assert "https://YOUR.HOST/acme-calreply/SECRET" in said
    assert set(re.findall(r"-- calends (\w+)", said)) <= set(COMMANDS)


# the pages ---------------------------------------------------------------------------------------------------------


def leaves(schema: Any, above: str = "") -> dict[str, str]:
    """What each value is for, by its path. Settings and resources have a page of their own."""
    found = {}
    for name, value in schema["properties"].items():
        inner = leaves(value, f"{above}{name}.") if "properties" in value else {}
        found |= inner or {f"{above}{name}": value["description"]}
    return found


SCHEMA = yaml_of((CHART / "values.schema.json").read_text())[0]
LEAVES = leaves(SCHEMA)


def paths(values: Any, above: str = "") -> set[str]:
    found = set()
    for name, value in values.items():
        path = f"{above}{name}"
        found |= {path} if path in LEAVES or not isinstance(value, dict) else paths(value, f"{path}.")
    return found


def test_every_value_is_in_the_schema_and_on_the_page() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    defaults = paths(yaml_of((CHART / "values.yaml").read_text())[0])

    assert defaults == set(LEAVES) - {"global"}
    assert sorted(path for path in defaults if f"| `{path}` |" not in page) == []


def test_the_page_names_no_value_that_is_not_there() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    table = re.findall(r"^\| `([a-zA-Z.]+)` \|", page.partition("## Values")[2].partition("## ")[0], re.MULTILINE)

    assert sorted(set(table) - set(LEAVES)) == []


def test_the_chart_knows_the_settings_as_they_are() -> None:
    assert SCHEMA["$defs"] == settings_schema.definitions(), "make docs"


def test_the_chart_has_the_version_of_what_it_installs() -> None:
    chart = yaml_of((CHART / "Chart.yaml").read_text())[0]

    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
