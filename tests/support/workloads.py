"""Plays, on a real API server without nodes, what controllers and nodes do to Jobs and Deployments."""

from datetime import UTC, datetime
from typing import Any, Literal

from support.kube import Kube
from support.kubeapi import KubeApi

MERGE = "application/merge-patch+json"
Fate = Literal["succeed", "fail", "run"]


class Workloads:
    """The pods of one namespace. `jobs` is what becomes of Jobs; Deployments are rolled out unless `stuck`."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._api, self._namespace = KubeApi(kube), namespace
        self.jobs: Fate = "succeed"
        self.stuck = False

    def play(self) -> None:
        """Bring the status of every Job and Deployment up to date."""
        for job in self._items("batch/v1", "jobs"):
            self._run(job)
        if not self.stuck:
            for deployment in self._items("apps/v1", "deployments"):
                self._roll_out(deployment)

    def close(self) -> None:
        """Close the connection."""
        self._api.close()

    def _run(self, job: dict[str, Any]) -> None:
        conditions = {condition["type"] for condition in job.get("status", {}).get("conditions", ())}
        if self.jobs == "run" or conditions & {"Complete", "Failed"}:
            return
        now = _now()
        start = job["metadata"]["creationTimestamp"]
        before, last = ("SuccessCriteriaMet", "Complete") if self.jobs == "succeed" else ("FailureTarget", "Failed")
        count = {"succeeded": 1, "completionTime": now} if self.jobs == "succeed" else {"failed": 4}
        # The API server takes an end only after the criteria for it were met (KEP-3998).
        for kinds, more in (((before,), {}), ((before, last), count)):
            conditions_now = [_condition(kind, now) for kind in kinds]
            self._status("batch/v1", "jobs", job, {"startTime": start, "conditions": conditions_now, **more})

    def _roll_out(self, deployment: dict[str, Any]) -> None:
        replicas, generation = deployment["spec"]["replicas"], deployment["metadata"]["generation"]
        counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), replicas)
        status = {"observedGeneration": generation, **counts}
        if any(deployment.get("status", {}).get(key, 0) != value for key, value in status.items()):
            self._status("apps/v1", "deployments", deployment, status)

    def _items(self, version: str, plural: str) -> list[dict[str, Any]]:
        response = self._api.request("GET", f"/apis/{version}/namespaces/{self._namespace}/{plural}")
        return list(response.body.get("items", ()))

    def _status(self, version: str, plural: str, obj: dict[str, Any], status: dict[str, Any]) -> None:
        path = f"/apis/{version}/namespaces/{self._namespace}/{plural}/{obj['metadata']['name']}/status"
        response = self._api.request("PATCH", path, {"status": status}, MERGE)
        assert response.status in {200, 404}, response.body


def _condition(kind: str, now: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now, "reason": "Played"}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
