"""A rendered pod as containers of an engine: its arguments, environment, user, volumes and limits are the chart's own.

ConfigMaps are laid out as a kubelet does, so that a change is seen as one there. The ports stay on loopback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chart.rendering import Thing, pods
from tests.image.engine import user_may_read

Texts = Mapping[str, str]


@dataclass
class Cluster:
    """What the namespace holds: the rendered objects, and the Secrets that were made elsewhere."""

    things: Sequence[Thing]
    secrets: Mapping[str, Texts]
    folder: Path
    _changes: int = field(default=0)

    def words(self, pod: str, container: str) -> tuple[list[str], list[str]]:
        """Options for `run`, and the arguments."""
        spec = pods(self.things)[pod]["spec"]
        (found,) = [each for each in spec["containers"] if each["name"] == container]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        options = [
            *self._environment(found),
            "--env=CALENDS_ADMIN__HOST=127.0.0.1",
            "--env=CALENDS_WEBHOOKS__HOST=127.0.0.1",
        ]
        for mount in found["volumeMounts"]:
            volume = volumes[mount["name"]]
            if "emptyDir" not in volume:  # every container of the tests has a /tmp
                options += [f"--volume={self._place(volume)}:{mount['mountPath']}:ro"]
        return options, found["args"]

    def change(self, config_map: str, texts: Texts) -> None:
        """As a kubelet: a new folder, and one link that is put in the place of another."""
        place = self.folder / config_map
        self._changes += 1
        version = place / f"..version-{self._changes}"
        version.mkdir(parents=True)
        for name, text in texts.items():
            (version / name).write_text(text)
            if not (place / name).is_symlink():
                (place / name).symlink_to(Path("..data") / name)
        (place / "..data.new").symlink_to(version.name)
        user_may_read(place)
        (place / "..data.new").replace(place / "..data")

    def _environment(self, container: Any) -> list[str]:
        values: dict[str, str] = {}
        for source in container.get("envFrom", []):
            values |= self.secrets[source["secretRef"]["name"]]
        for one in container["env"]:
            ref = one.get("valueFrom", {}).get("secretKeyRef")
            values[one["name"]] = self.secrets[ref["name"]][ref["key"]] if ref else one["value"]
        return [f"--env={name}={value}" for name, value in values.items()]

    def _place(self, volume: Any) -> Path:
        if "secret" in volume:
            name, texts = volume["secret"]["secretName"], self.secrets[volume["secret"]["secretName"]]
        else:
            name = volume["configMap"]["name"]
            (texts,) = [t["data"] for t in self.things if t["kind"] == "ConfigMap" and t["metadata"]["name"] == name]
        if not (self.folder / name).is_dir():
            self.change(name, texts)
        return self.folder / name
