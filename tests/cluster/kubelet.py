"""A node that says of each pod what a kubelet would say, and runs nothing: pods become ready, Jobs succeed."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

NODE = "node-1"
ROOM = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}


class Kubelet(threading.Thread):
    def __init__(self, server: str, token: str) -> None:
        super().__init__(daemon=True)
        self.server, self.token = server, token
        self.trust = ssl._create_unverified_context()  # loopback, and a certificate of this minute
        self.ended = threading.Event()

    def run(self) -> None:
        self._call("POST", "/api/v1/nodes", {"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}})
        turns = 0
        while not self.ended.wait(0.2):
            try:
                if turns % 50 == 0:
                    self._heartbeat()
                turns += 1
                for pod in self._call("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE}")["items"]:
                    self._tend(pod)
            except (OSError, urllib.error.HTTPError):  # changed meanwhile, or the end: seen again next time
                continue

    def _tend(self, pod: Any) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if "deletionTimestamp" in meta:
            self._call("DELETE", path, {"gracePeriodSeconds": 0})
        elif pod.get("status", {}).get("phase", "Pending") == "Pending":
            self._call("PATCH", f"{path}/status", {"status": self._status(pod)})

    def _status(self, pod: Any) -> dict[str, Any]:
        ends = pod["spec"]["restartPolicy"] != "Always"
        over = {"exitCode": 0, "reason": "Completed", "startedAt": _now(), "finishedAt": _now()}
        state = {"terminated": over} if ends else {"running": {"startedAt": _now()}}
        conditions = {"PodScheduled": True, "Initialized": True, "ContainersReady": not ends, "Ready": not ends}
        return {
            "phase": "Succeeded" if ends else "Running",
            "startTime": _now(),
            "podIP": "10.0.0.9",
            "hostIP": "127.0.0.1",
            "conditions": [
                {"type": kind, "status": str(holds), "lastTransitionTime": _now()} for kind, holds in conditions.items()
            ],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "restartCount": 0,
                    "ready": not ends,
                    "started": not ends,
                    "state": state,
                }
                for container in pod["spec"]["containers"]
            ],
        }

    def _heartbeat(self) -> None:
        ready = {"type": "Ready", "status": "True", "reason": "Here", "message": ""}
        ready |= {"lastHeartbeatTime": _now(), "lastTransitionTime": _now()}
        status = {"conditions": [ready], "capacity": ROOM, "allocatable": ROOM}
        self._call("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )
        with urllib.request.urlopen(request, context=self.trust, timeout=10) as answer:
            return json.load(answer)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
