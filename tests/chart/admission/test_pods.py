"""Pods that a stolen token of the operator cannot get: each attack asks the real API server."""

from copy import deepcopy
from typing import Any

import pytest

from imghost_operator.platform import Object
from support.audit_log import AuditedKube
from support.impersonation import Children, Impersonator, assert_denied

NODE = "no hostNetwork, hostPID, hostIPC or hostPort"
ACCOUNT = "service account api, imaging, migrate or worker"
PLACE = "no nodeName, no system priority class"
POD_SECURITY = "runAsNonRoot, the seccomp profile RuntimeDefault"
CONTAINER_SECURITY = "not privileged"
VOLUMES = "volumes of the kind emptyDir"
MOUNTS = "mount /tmp, authorities at /etc/imghost/ca"
IMAGES = "images of tenants' pods are those"
COMMAND = "run a command of imghost"
HOOKS = "neither runs a command"
SOURCES = "no variable of tenants' containers is read from a Secret of the operator"
VARIABLES = "no environment variable that changes which code runs"


def _volumes(**source: Any) -> dict[str, Any]:
    """A volume of a tenant, next to ours."""
    return {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "mount-x", **source}]}


def _from_secret(name: str) -> dict[str, Any]:
    return {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "DATABASE_URL"}}}]}


def _with_items() -> dict[str, Any]:
    """The certificates of authorities under another name."""
    items = [{"key": "database.crt", "path": "sitecustomize.py"}]
    return {"name": "authorities", "configMap": {"name": "backend-authorities", "items": items}}


_UNSAFE: list[tuple[str, dict[str, Any], str]] = [
    ("pod", {"hostNetwork": True}, NODE),
    ("pod", {"hostPID": True}, NODE),
    ("pod", {"hostIPC": True}, NODE),
    ("container", {"ports": [{"containerPort": 80, "hostPort": 80}]}, NODE),
    ("pod", {"serviceAccountName": "default"}, ACCOUNT),
    ("pod", {"automountServiceAccountToken": True}, ACCOUNT),
    ("pod", {"nodeName": "control-plane-1"}, PLACE),
    ("pod", {"priorityClassName": "system-node-critical"}, PLACE),
    ("pod", {"tolerations": [{"operator": "Exists"}]}, PLACE),
    ("pod", {"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}, PLACE),
    ("pod", {"securityContext": {"runAsNonRoot": True}}, POD_SECURITY),
    ("pod", {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, POD_SECURITY),
    ("pod security", {"runAsUser": 0}, POD_SECURITY),
    ("pod security", {"seccompProfile": {"type": "Unconfined"}}, POD_SECURITY),
    ("pod security", {"appArmorProfile": {"type": "Unconfined"}}, POD_SECURITY),
    ("pod security", {"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "0"}]}, POD_SECURITY),
    ("pod security", {"seLinuxOptions": {"type": "spc_t"}}, POD_SECURITY),
    ("pod security", {"windowsOptions": {"runAsUserName": "ContainerAdministrator"}}, POD_SECURITY),
    ("container", {"securityContext": None}, CONTAINER_SECURITY),
    ("container security", {"allowPrivilegeEscalation": True, "privileged": True}, CONTAINER_SECURITY),
    ("container security", {"allowPrivilegeEscalation": True}, CONTAINER_SECURITY),
    ("container security", {"runAsUser": 0, "runAsNonRoot": False}, CONTAINER_SECURITY),
    ("container security", {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, CONTAINER_SECURITY),
    ("container security", {"capabilities": {"drop": ["NET_RAW"]}}, CONTAINER_SECURITY),
    ("container security", {"seccompProfile": {"type": "Unconfined"}}, CONTAINER_SECURITY),
    ("pod", {"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]}, VOLUMES),
    ("pod", {"volumes": [{"name": "tmp", "configMap": {"name": "api"}}]}, VOLUMES),
    ("pod", {"volumes": [{"name": "tmp", "secret": {"secretName": "database-owner"}}]}, VOLUMES),
    (
        "pod",
        {"volumes": [{"name": "tmp", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]},
        VOLUMES,
    ),
    ("pod", {"volumes": [{"name": "tmp", "configMap": {"name": "backend-authorities"}}]}, VOLUMES),
    ("pod", {"volumes": [{"name": "tmp", "emptyDir": {}}, _with_items()]}, VOLUMES),
    ("pod", _volumes(secret={"secretName": "database-owner"}), VOLUMES),
    ("pod", _volumes(secret={"secretName": "registries"}), VOLUMES),
    ("pod", _volumes(configMap={"name": "worker"}), VOLUMES),
    ("pod", _volumes(hostPath={"path": "/"}), VOLUMES),
    ("pod", _volumes(emptyDir={}), VOLUMES),
    ("pod", _volumes(persistentVolumeClaim={"claimName": "a"}), VOLUMES),
    ("pod", _volumes(projected={"sources": [{"secret": {"name": "internal"}}]}), VOLUMES),
    ("pod", {"volumes": [{"name": "tmp", "secret": {"secretName": "another"}}]}, VOLUMES),
    ("mount", {"mountPath": "/mnt/x"}, MOUNTS),
    ("mount", {"mountPath": "/mnt/y", "readOnly": True}, MOUNTS),
    ("mount", {"mountPath": "/mnt/x/y", "readOnly": True}, MOUNTS),
    ("mount", {"mountPath": "/opt/imghost", "readOnly": True}, MOUNTS),
    ("mount", {"mountPath": "/mnt/x", "readOnly": True, "subPath": "a"}, MOUNTS),
    ("container", _from_secret("database-owner"), SOURCES),
    ("container", _from_secret("registries"), SOURCES),
    ("container", {"volumeMounts": [{"name": "tmp", "mountPath": "/opt/imghost"}]}, MOUNTS),
    ("container", {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "subPath": "a"}]}, MOUNTS),
    ("container", {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "subPathExpr": "$(A)"}]}, MOUNTS),
    ("container", {"workingDir": "/tmp"}, MOUNTS),
    ("container", {"envFrom": [{"prefix": "LD_", "configMapRef": {"name": "api"}}]}, MOUNTS),
    ("container", {"image": "evil.example.com/imghost-api:1"}, IMAGES),
    ("container", {"image": "imghost-api:5000/evil:1"}, IMAGES),
    ("container", {"image": "imghost-api-evil:1"}, IMAGES),
    ("container", {"command": ["sh", "-c", "id"]}, COMMAND),
    ("container", {"command": ["python", "-c", "import os"]}, COMMAND),
    ("container", {"args": ["--help"]}, COMMAND),
    ("container", {"command": None}, COMMAND),
    ("container", {"livenessProbe": {"exec": {"command": ["id"]}}}, HOOKS),
    ("container", {"livenessProbe": {"httpGet": {"host": "169.254.169.254", "port": 80, "path": "/"}}}, HOOKS),
    ("container", {"lifecycle": {"postStart": {"exec": {"command": ["id"]}}}}, HOOKS),
    ("container", {"lifecycle": {"preStop": {"exec": {"command": ["id"]}}}}, HOOKS),
    ("container", {"env": [{"name": "LD_PRELOAD", "value": "/tmp/a.so"}]}, VARIABLES),
    ("container", {"env": [{"name": "PythonPath", "value": "/tmp"}]}, VARIABLES),
    ("container", {"env": [{"name": "LIBHEIF_PLUGIN_PATH", "value": "/mnt/x"}]}, VARIABLES),
    ("container", {"env": [{"name": "KRB5_CONFIG", "value": "/mnt/x/krb5.conf"}]}, VARIABLES),
]


def spoil(workload: Object, where: str, change: dict[str, Any]) -> Object:
    """The same Deployment or Job, made dangerous."""
    made = deepcopy(workload)
    pod = made["spec"]["template"]["spec"]
    match where:
        case "pod":
            pod |= change
        case "pod security":
            pod["securityContext"] |= change
        case "mount":
            pod["volumes"].append({"name": "mount-x", "configMap": {"name": "another"}})
            pod["containers"][0]["volumeMounts"].append({"name": "mount-x", **change})
        case "container":
            pod["containers"][0] |= change
        case "container security":
            pod["containers"][0]["securityContext"] |= change
    return made


def describe(case: tuple[str, dict[str, Any], str]) -> str:
    """A name for a case."""
    return f"{case[0]} {case[1]}"[:70]


@pytest.mark.parametrize("kind", [("Deployment", "api"), ("Job", "migrate-pre")], ids=lambda kind: kind[0])
@pytest.mark.parametrize("case", _UNSAFE, ids=describe)
async def test_dangerous_pods_are_denied(
    thief: Impersonator, children: Children, kind: tuple[str, str], case: tuple[str, dict[str, Any], str]
) -> None:
    """Pods that reach the node or other accounts, or run other programs, are denied with the rule that they break."""
    where, change, saying = case
    await assert_denied(lambda: thief.try_create(spoil(children[kind], where, change)), saying)


async def test_certificates_of_authorities_may_be_mounted(thief: Impersonator, children: Children) -> None:
    """The one ConfigMap that pods of tenants mount is that with the certificates of the backends' authorities."""
    trusted = {"name": "authorities", "configMap": {"name": "backend-authorities"}}
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "authorities", "mountPath": "/etc/imghost/ca"}]
    made = spoil(children["Deployment", "api"], "pod", {"volumes": [{"name": "tmp", "emptyDir": {}}, trusted]})
    answer = thief.try_create(spoil(made, "container", {"volumeMounts": mounts}))
    assert answer.status == 201, answer.body


@pytest.mark.parametrize("part", ["containers", "initContainers"])
async def test_further_containers_are_held_to_the_same_rules(
    thief: Impersonator, children: Children, part: str
) -> None:
    """A second container, or one that starts before ours, is no way around the rules."""
    ours = children["Deployment", "api"]["spec"]["template"]["spec"]["containers"][0]
    second = {**ours, "name": "extra", **({"restartPolicy": "Always"} if part == "initContainers" else {})}
    privileged, foreign = second | {"securityContext": {"privileged": True}}, second | {"image": "evil"}
    for extra, saying in ((privileged, CONTAINER_SECURITY), (foreign, IMAGES)):
        made = deepcopy(children["Deployment", "api"])
        made["spec"]["template"]["spec"][part].append(extra)
        await assert_denied(lambda made=made: thief.try_create(made), saying)


async def test_what_others_added_does_not_stop_the_operator(
    cluster: AuditedKube, thief: Impersonator, mutable: Children
) -> None:
    """A container, volume and toleration that an administrator added stay while the operator changes the rest; the
    operator may remove them, not change them.
    """
    ours = mutable["Deployment", "worker"]
    foreign = spoil(ours, "pod", {"tolerations": [{"operator": "Exists"}]})
    pod = foreign["spec"]["template"]["spec"]
    pod["containers"].append({**pod["containers"][0], "name": "agent", "image": "agents.example.com/agent:1"})
    pod["volumes"].append({"name": "sockets", "hostPath": {"path": "/run"}})
    try:
        assert cluster.api.create(foreign).status == 201
        await assert_denied(lambda: thief.try_create(spoil(ours, "pod", {"hostPID": True})), NODE)
        changed = {"spec": {"replicas": 3, "template": {"metadata": {"annotations": {"a": "b"}}}}}
        answer = thief.try_merge(ours, changed)
        assert answer.status == 200, answer.body
        assert len(answer.body["spec"]["template"]["spec"]["containers"]) == 2
        only_ours = {"spec": {"template": {"spec": {"containers": ours["spec"]["template"]["spec"]["containers"]}}}}
        assert thief.try_merge(ours, only_ours).status == 200
        pod["containers"][1]["image"] = "agents.example.com/agent:2"
        changed = {"spec": {"template": {"spec": {"containers": pod["containers"]}}}}
        await assert_denied(lambda: thief.try_merge(ours, changed), IMAGES)
    finally:
        cluster.api.request("DELETE", f"/apis/apps/v1/namespaces/{ours['metadata']['namespace']}/deployments/worker")
