"""`python -m tests.services`: both services until ctrl-C."""

import argparse
import os
import signal
import sys

from tests.services import ServiceUnavailable, brokers, databases, kafka, postgres
from tests.services.java import kafka_jars
from tests.services.processes import docker, docker_answers


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.services", description="A real Kafka and PostgreSQL, until ctrl-C."
    )
    parser.add_argument("--prepare", action="store_true", help="only fetch what they need")
    options = parser.parse_args()
    try:
        if options.prepare:
            prepare()
        else:
            serve()
    except ServiceUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def prepare() -> None:
    if docker_answers():
        for image in (brokers.IMAGE, databases.IMAGE):
            docker("pull", "--quiet", image)
    elif "CALENDS_TEST_KAFKA" not in os.environ:
        kafka_jars()


def serve() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with kafka() as broker, postgres() as database:
        print(f"CALENDS_TEST_KAFKA={broker.bootstrap}", flush=True)
        print(f"CALENDS_TEST_POSTGRES={database.url}", flush=True)
        print("ctrl-C ends both", file=sys.stderr, flush=True)
        signal.pause()


sys.exit(main())
