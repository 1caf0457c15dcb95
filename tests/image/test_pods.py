"""The chart's own pods, really run: by a container engine, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.chart.rendering import pods, render
from tests.image.engine import IMAGE, RESTRICTED, logs, run, said
from tests.image.pod import Cluster
from tests.image.test_image import in_time
from tests.services import KafkaService
from tests.services.processes import free_ports

RULE = """rules:
  - name: {name}
    from: [{topic}]
    send:
      to: ecal
      identity: "{{{{ data.id }}}}"
      entry: {{title: A, location: B, start: "2027-01-01", all_day: true}}
"""


@pytest.fixture
def topic(kafka_service: KafkaService, topic_prefix: str) -> str:
    names = [f"{topic_prefix}.{name}" for name in ("events", "dead-letters", "inbound")]
    admin = AdminClient({"bootstrap.servers": kafka_service.bootstrap})
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        made.result(30)
    return names[0]


@pytest.fixture
def cluster(kafka_service: KafkaService, postgres_url: str, topic: str, tmp_path: Path) -> Cluster:
    things = render(values(kafka_service.bootstrap, topic))
    secrets = {
        "calends-ledger": {"uri": postgres_url},
        "calends-vendors": {"api_key": "key-of-a-test", "api_secret": "secret-of-a-test"},
        "calends-webhooks": {"CALREPLY_WEBHOOK_SECRET": "a-secret-of-this-test"},
    }
    return Cluster(things, secrets, tmp_path)


def values(bootstrap: str, topic: str) -> dict[str, Any]:
    admin, hooks = free_ports(2)
    own = topic.removesuffix(".events")
    secret = {name: {"file": f"/run/secrets/calends-vendors/{name}"} for name in ("api_key", "api_secret")}
    client = {"client_id": secret["api_key"], "client_secret": secret["api_secret"]}
    kafka = {"bootstrap_servers": bootstrap, "group_id": own, "dead_letter_topic": f"{own}.dead-letters"}
    return {
        "image": {"repository": IMAGE.partition(":")[0], "tag": IMAGE.partition(":")[2]},
        "settings": {
            "kafka": {**kafka, "inbound_topic": f"{own}.inbound"},
            "admin": {"port": admin},
            "webhooks": {"port": hooks},
            "destinations": {
                "ecal": {"vendor": "ecal", "base_url": "http://127.0.0.1:1/ecal", "credential": secret},
                "replies": {
                    "vendor": "calreply",
                    "base_url": "http://127.0.0.1:1/calreply",
                    "credential": client,
                    "options": {"account_code": "acme"},
                    "webhook": {"secret": {"env": "CALREPLY_WEBHOOK_SECRET"}},
                },
            },
        },
        "rules": {"relay.yaml": RULE.format(name="relay", topic=topic)},
        "mountedSecrets": ["calends-vendors"],
        "ledger": {"urlSecret": {"name": "calends-ledger"}},
        "existingSecret": "calends-webhooks",
        "webhooks": {"enabled": True},
    }


def end(cluster: Cluster, pod: str, container: str) -> tuple[int, str]:
    options, arguments = cluster.words(pod, container)
    done = run(*arguments, options=options)
    return done.returncode, done.stdout


@contextmanager
def running(cluster: Cluster, pod: str, container: str) -> Iterator[str]:
    """Ends it as a kubelet does, and sees that it ended by itself, in time."""
    options, arguments = cluster.words(pod, container)
    name = said("run", "--detach", "--no-healthcheck", *RESTRICTED, *options, IMAGE, *arguments).splitlines()[-1]
    try:
        yield name
        seconds = pods(cluster.things)[pod]["spec"]["terminationGracePeriodSeconds"]
        said("stop", f"--time={seconds}", name)
        assert said("inspect", "--format={{.State.ExitCode}}", name) == "0", logs(name)
    finally:
        said("rm", "--force", name, check=False)


def answer(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=5) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""
    except OSError:
        return 0, ""


def port_of(cluster: Cluster, pod: str, name: str) -> int:
    (container,) = pods(cluster.things)[pod]["spec"]["containers"]
    return next(int(port["containerPort"]) for port in container["ports"] if port["name"] == name)


def migrated(cluster: Cluster) -> str:
    (job,) = [thing["metadata"]["name"] for thing in cluster.things if thing["kind"] == "Job"]
    return end(cluster, job, "migrate")[1]


def test_the_migration_runs_once_and_then_again_for_nothing(cluster: Cluster) -> None:
    assert migrated(cluster) == "the ledger's tables are now up to date\n"
    assert migrated(cluster) == "the ledger's tables were up to date\n"


def test_helm_test_would_pass(cluster: Cluster) -> None:
    migrated(cluster)

    assert end(cluster, "calends-check", "check") == (0, "ok: 1 rule, 2 destinations, 0 tests\n")
    assert end(cluster, "calends-check", "status")[0] == 0


def test_a_worker_waits_for_its_tables_gets_ready_takes_new_rules_and_ends_in_time(
    cluster: Cluster, topic: str
) -> None:
    port = port_of(cluster, "calends", "admin")
    with running(cluster, "calends", "worker") as name:
        assert in_time(lambda: "run_calends_migrate" in logs(name))
        assert (answer(port, "/livez")[0], answer(port, "/readyz")[0]) == (200, 503)
        migrated(cluster)
        assert in_time(lambda: answer(port, "/readyz")[0] == 200)

        cluster.change("calends-rules", {"relay.yaml": RULE.format(name="another", topic=topic)})
        assert in_time(lambda: 'calends_rules_reloads_total{outcome="loaded"} 2.0' in answer(port, "/metrics")[1])


def test_a_receiver_gets_ready_without_a_ledger_and_ends_in_time(cluster: Cluster) -> None:
    admin, hooks = (port_of(cluster, "calends-webhooks", name) for name in ("admin", "webhooks"))
    with running(cluster, "calends-webhooks", "webhooks"):
        assert in_time(lambda: answer(admin, "/readyz")[0] == 200)
        assert answer(hooks, "/replies/somebody-elses-secret", "POST")[0] == 404
        assert answer(hooks, "/replies/a-secret-of-this-test", "POST")[0] == 400, "no body"
