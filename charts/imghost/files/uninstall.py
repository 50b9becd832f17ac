"""Release all tenants before the operator is removed, so that no finalizer stays without an operator.

Runs in the operator's image as the chart's pre-delete hook, on Python's standard library alone: it has to work with
whatever state the operator is in. Tenants, their namespaces and data stay; an operator that is installed again takes
them up where they are.
"""

import argparse
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

FINALIZER = "imghost.dev/external-data"
TENANTS = "/apis/imghost.dev/v1/imagehosttenants"
HTTP_NOT_FOUND, HTTP_CONFLICT, HTTP_UNPROCESSABLE = 404, 409, 422

Object = dict[str, Any]


class Refused(Exception):
    """The operator must not be uninstalled now; the text says why and what to do."""


class Api:
    """The Kubernetes API, as the service account whose token and authority are in a folder."""

    def __init__(self, server: str, credentials: Path) -> None:
        self._server, self._token = server, (credentials / "token").read_text().strip()
        self._tls = ssl.create_default_context(cafile=str(credentials / "ca.crt"))

    def call(self, method: str, path: str, body: object = None, media_type: str = "application/json") -> Object | None:
        """One request; None when there is no such object."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": media_type}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._server + path, data, headers, method=method)  # noqa: S310 - https
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._tls) as response:  # noqa: S310 - https
                found: Object = json.load(response)
                return found
        except urllib.error.HTTPError as error:
            if error.code == HTTP_NOT_FOUND:
                return None
            raise

    def items(self, path: str) -> list[Object]:
        """The objects of a list; none when there is no such kind (any more)."""
        return list((self.call("GET", path) or {}).get("items", ()))


def wait(find: Callable[[], list[Object]], patience: float) -> list[str]:
    """Poll until nothing is found or patience ends; returns the names of what is left."""
    deadline = time.monotonic() + patience
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(1)
    return [item["metadata"]["name"] for item in left]


def uninstall(api: Api, options: argparse.Namespace) -> None:
    """Stop the operator and take its finalizer off every tenant; raises `Refused`."""

    def deleting() -> list[Object]:
        return [tenant for tenant in of_class(api, options) if "deletionTimestamp" in tenant["metadata"]]

    def held() -> list[Object]:
        return [tenant for tenant in of_class(api, options) if not release(api, tenant)]

    if left := wait(deleting, options.patience):
        raise Refused(
            f"these tenants are being deleted: {names(left)}. Wait for that, or see their condition Deleting."
        )
    tenants = [tenant["metadata"]["name"] for tenant in of_class(api, options)]
    if tenants and options.tenants == "Refuse":
        raise Refused(
            f"there are tenants: {names(tenants)}. Delete them and uninstall again. To keep the release instead, "
            "`helm rollback` it to its last revision in `helm history`."
        )
    stop(api, options)
    if left := wait(held, options.patience):
        raise Refused(f"these tenants could not be released: {names(left)}. Try again.")
    print(f"released {len(tenants)} tenants; they keep running, and their data stays")  # noqa: T201 - its output


def of_class(api: Api, options: argparse.Namespace) -> list[Object]:
    """The tenants that the operator manages."""
    return [
        tenant
        for tenant in api.items(TENANTS)
        if tenant.get("spec", {}).get("operatorClass", "default") == options.operator_class
    ]


def stop(api: Api, options: argparse.Namespace) -> None:
    """Stop the operator, which would add its finalizer again, and wait until its last pod has ended."""
    namespace = f"namespaces/{options.namespace}"
    scale = f"/apis/apps/v1/{namespace}/deployments/{options.deployment}/scale"
    api.call("PATCH", scale, {"spec": {"replicas": 0}}, "application/merge-patch+json")
    if left := wait(lambda: api.items(f"/api/v1/{namespace}/pods?labelSelector={options.selector}"), options.patience):
        raise Refused(f"the operator's pods do not end: {names(left)}.")


def release(api: Api, tenant: Object) -> bool:
    """Take the finalizer off; False when the tenant has changed meanwhile and must be looked at again."""
    metadata = tenant["metadata"]
    if FINALIZER not in metadata.get("finalizers", ()):
        return True
    others = [finalizer for finalizer in metadata["finalizers"] if finalizer != FINALIZER]
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "replace", "path": "/metadata/finalizers", "value": others},
    ]
    try:
        api.call("PATCH", f"{TENANTS}/{metadata['name']}", patch, "application/json-patch+json")
    except urllib.error.HTTPError as error:
        if error.code in {HTTP_CONFLICT, HTTP_UNPROCESSABLE}:
            return False
        raise
    return True


def names(tenants: list[str], most: int = 10) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(tenants) - most} more" if len(tenants) > most else ""
    return ", ".join(sorted(tenants)[:most]) + more


def main() -> None:
    """Exit with 1 and the reason when the operator must not go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="https://kubernetes.default.svc")
    parser.add_argument("--credentials", type=Path, default=Path("/var/run/secrets/kubernetes.io/serviceaccount"))
    parser.add_argument("--namespace", required=True, help="of the operator")
    parser.add_argument("--deployment", required=True, help="of the operator")
    parser.add_argument("--selector", required=True, help="labels of the operator's pods")
    parser.add_argument("--operator-class", default="default", help="tenants of other classes are left alone")
    parser.add_argument("--tenants", choices=["Release", "Refuse"], required=True)
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait in each step")
    options = parser.parse_args()
    try:
        uninstall(Api(options.server, options.credentials), options)
    except (Refused, OSError) as error:
        sys.exit(f"imghost is not uninstalled: {error}")


if __name__ == "__main__":
    main()
