"""Requests as another user, for tests of what a stolen token can do."""

import http.client
from collections.abc import Callable
from typing import Any

from support.eventually import eventually
from support.kube import Kube
from support.kubeapi import Answer, KubeApi, collection

TENANT = "stolen"
Children = dict[tuple[str, str], dict[str, Any]]
"""Objects of a tenant by kind and name; names of Jobs are without the hash."""


class Impersonator(KubeApi):
    """A connection as a user whom the administrator impersonates; with `dry_run`, nothing it does is stored."""

    def __init__(self, kube: Kube, user: str) -> None:
        super().__init__(kube)
        self._user = user

    def try_create(self, obj: dict[str, Any]) -> Answer:
        """What the API server says to a new object, without storing it."""
        return self.create(obj, "dryRun=All&fieldValidation=Strict")

    def try_apply(self, obj: dict[str, Any]) -> Answer:
        """What it says to server-side apply, without storing the result."""
        return self.apply(obj, "&dryRun=All")

    def try_merge(self, obj: dict[str, Any], change: dict[str, Any]) -> Answer:
        """What it says to a merge patch of an object, without storing the result."""
        path = f"{collection(obj)}/{obj['metadata']['name']}?dryRun=All"
        return self.request("PATCH", path, change, "application/merge-patch+json")

    def try_delete(self, obj: dict[str, Any]) -> Answer:
        """What it says to a deletion, without deleting anything."""
        return self.request("DELETE", f"{collection(obj)}/{obj['metadata']['name']}?dryRun=All")

    def _send(self, method: str, path: str, data: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        return super()._send(method, path, data, headers | {"Impersonate-User": self._user})


async def assert_denied(attempt: Callable[[], Answer], *reasons: str) -> None:
    """Wait until an attempt is denied for one of these reasons; the API server takes a moment to learn of a new policy.

    Of several policies that deny a request, it names any one.
    """

    def is_denied() -> None:
        answer = attempt()
        assert "ValidatingAdmissionPolicy" in answer.body.get("message", ""), answer.body
        assert any(reason in answer.body["message"] for reason in reasons), answer.body["message"]

    await eventually(is_denied, within=20, why="it is not denied")
