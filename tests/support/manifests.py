"""Manifests that the cluster refuses, each for its own reason, and some that it accepts."""

from typing import Any


def manifest(**members: Any) -> dict[str, Any]:
    """A tenant's manifest as a user would write it."""
    return {"apiVersion": "imghost.dev/v1", "kind": "ImageHostTenant", "metadata": {"name": "t"}, **members}


def _spec(**spec: Any) -> dict[str, Any]:
    return manifest(spec=spec)


def _api(**members: Any) -> dict[str, Any]:
    return _spec(api=members)


def _limits(**members: Any) -> dict[str, Any]:
    return _spec(imaging={"limits": members})


def _resources(requests: dict[str, Any], **limits: Any) -> dict[str, Any]:
    return _api(resources={"requests": requests, "limits": limits})


def _egress(cidr: str, port: int = 4317) -> dict[str, Any]:
    return _spec(network={"egressTo": [{"cidr": cidr, "port": port}]})


def _from_secret(name: str, **more: Any) -> dict[str, Any]:
    return _api(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}, **more}])


def _volume(**volume: Any) -> dict[str, Any]:
    return _spec(worker={"volumes": [{"name": "v", **volume}]})


def _scheduling(**fields: Any) -> dict[str, Any]:
    return _spec(imaging={"scheduling": fields})


def _toleration(**fields: Any) -> dict[str, Any]:
    return _scheduling(tolerations=[{"key": "example.com/a", **fields}])


def _node(operator: str, *values: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": "a", "operator": operator, "values": list(values)}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return _spec(scheduling={"affinity": {"nodeAffinity": required}})


def _near(**term: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a", **term}]}
    return _scheduling(affinity={"podAntiAffinity": required})


def _spread(**fields: Any) -> dict[str, Any]:
    spread = {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway", **fields}
    return _scheduling(topologySpreadConstraints=[spread])


BAD: dict[str, dict[str, Any]] = {
    "another kind": manifest(kind="Tenant"),
    "another version": manifest(apiVersion="imghost.dev/v2"),
    "no name": manifest(metadata={}),
    "name too long": manifest(metadata={"name": "a" * 41}),
    "name with dots": manifest(metadata={"name": "a.b"}),
    "name of the operator's namespace": manifest(metadata={"name": "system"}),
    "name of the backends' namespace": manifest(metadata={"name": "backends"}),
    "name in capitals": manifest(metadata={"name": "Demo"}),
    "unknown metadata": manifest(metadata={"name": "t", "nmae": "x"}),
    "unknown root member": manifest(bar=1),
    "unknown field": _spec(foo=1, bar=2),
    "unknown nested field": _api(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]),
    "pod template smuggled in": _api(podSpec={"hostNetwork": True}),
    "spec as a list": manifest(spec=[]),
    "text for a flag": _spec(paused="yes"),
    "unknown policy": _spec(deletionPolicy="Destroy"),
    "number for a policy": _spec(deletionPolicy=5),
    "display name too long": _spec(displayName="x" * 64),
    "too many replicas": _api(replicas=300),
    "negative replicas": _api(replicas=-1),
    "replicas in words": _api(replicas="two"),
    "half a replica": _api(replicas=1.5),
    "autoscaling without a most": _api(autoscaling={"minReplicas": 3}),
    "autoscaling from more than to": _api(autoscaling={"minReplicas": 5, "maxReplicas": 4}),
    "autoscaling from nothing": _api(autoscaling={"minReplicas": 0, "maxReplicas": 4}),
    "autoscaling beyond bounds": _api(autoscaling={"maxReplicas": 201, "targetCPUPercent": 0}),
    "image with a space": _api(image="a b"),
    "image as an option": _api(image="--privileged"),
    "image on two lines": _api(image="a\nb"),
    "empty image": _api(image=""),
    "reserved variable": _api(env=[{"name": "DATABASE_URL", "value": "x"}]),
    "reserved variable in small letters": _api(env=[{"name": "database_url", "value": "x"}]),
    "reserved variable in any letters": _spec(worker={"env": [{"name": "Ops_Port", "value": "1"}]}),
    "variable of the database client": _api(env=[{"name": "PGHOSTADDR", "value": "192.0.2.1"}]),
    "variable of the store client": _api(env=[{"name": "aws_endpoint_url", "value": "x"}]),
    "variable of the loader": _spec(imaging={"env": [{"name": "LD_PRELOAD", "value": "x"}]}),
    "variable of the interpreter": _spec(worker={"env": [{"name": "PythonPath", "value": "x"}]}),
    "variable of the shell": _api(env=[{"name": "PATH", "value": "/tmp"}]),
    "reference in a variable": _spec(imaging={"env": [{"name": "A", "value": "$(DATABASE_URL)"}]}),
    "variable without a name": _api(env=[{"value": "x"}]),
    "variable with an empty name": _api(env=[{"name": ""}]),
    "variable twice": _api(env=[{"name": "A"}, {"name": "A"}]),
    "51 variables": _api(env=[{"name": f"A{number}"} for number in range(51)]),
    "variable with a line break": _api(env=[{"name": "A\n"}]),
    "variables as a map": _api(env={"A": "b"}),
    "value from nothing": _api(env=[{"name": "A", "valueFrom": {}}]),
    "value from two places": _api(
        env=[
            {
                "name": "A",
                "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}, "configMapKeyRef": {"name": "a", "key": "k"}},
            }
        ]
    ),
    "value and valueFrom": _from_secret("mine", value="x"),
    "value from the database owner's Secret": _from_secret("database-owner"),
    "value from the pull Secret": _from_secret("registries"),
    "value from a Secret in capitals": _from_secret("Mine"),
    "reserved variable from a Secret": _api(
        env=[{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}}]
    ),
    "variable of the image library": _api(env=[{"name": "LIBHEIF_PLUGIN_PATH", "value": "/mnt/x"}]),
    "volume of nothing": _volume(),
    "volume of two": _volume(configMap={"name": "a"}, secret={"secretName": "b"}),
    "volume of the node": _volume(hostPath={"path": "/"}),
    "volume of the signing key": _volume(secret={"secretName": "api-signing"}),
    "volume with a path of its own": _volume(configMap={"name": "a"}, mountPath="/opt"),
    "volume that leaves its folder": _spec(worker={"volumes": [{"name": "..", "configMap": {"name": "a"}}]}),
    "volume twice": _spec(worker={"volumes": [{"name": "v", "configMap": {"name": "a"}}] * 2}),
    "pull Secret of the operator": _spec(imagePullSecrets=[{"name": "registries"}]),
    "pull Secret twice": _spec(imagePullSecrets=[{"name": "a"}, {"name": "a"}]),
    "11 pull Secrets": _spec(imagePullSecrets=[{"name": f"a{number}"} for number in range(11)]),
    "reserved annotation of the account": _spec(serviceAccount={"annotations": {"imghost.dev/pull-secrets": "a"}}),
    "node by name": _scheduling(nodeName="a"),
    "node label with a space": _scheduling(nodeSelector={"a b": "c"}),
    "toleration of everything": _scheduling(tolerations=[{"operator": "Exists"}]),
    "toleration of the control plane": _toleration(key="node-role.kubernetes.io/control-plane"),
    "toleration of any value with a value": _toleration(operator="Exists", value="x"),
    "toleration for a time of no effect": _toleration(effect="NoSchedule", tolerationSeconds=5),
    "system priority": _spec(scheduling={"priorityClassName": "system-node-critical"}),
    "nodes in no values": _node("In"),
    "nodes that exist with values": _node("Exists", "x"),
    "nodes above words": _node("Gt", "x"),
    "nodes above two numbers": _node("Lt", "1", "2"),
    "pods of other namespaces": _near(namespaceSelector={}),
    "pods in no values": _near(labelSelector={"matchExpressions": [{"key": "a", "operator": "NotIn"}]}),
    "spread over a minimum where possible": _spread(minDomains=2),
    "spread by nothing": _spread(maxSkew=0),
    "null among formats": _limits(formats=[None]),
    "SVG": _limits(formats=["jpeg", "svg"]),
    "format twice": _limits(formats=["jpeg", "png", "jpeg"]),
    "no format": _limits(formats=[]),
    "flag for bytes": _limits(maxInputBytes=True),
    "format three times": _limits(formats=["png", "png", "png"]),
    "variables that are none": _api(env=[False, None, {}]),
    "bytes with a space": _limits(maxInputBytes="50 MB"),
    "negative bytes": _limits(maxInputBytes=-5),
    "fraction above the limit": _api(replicas=250.5),
    "absurd pixels": _limits(maxPixels=10**18),
    "requests above limits": _resources({"memory": "2Gi"}),
    "CPU above its limit": _resources({"cpu": 2}, cpu="1500m"),
    "memory that is none": _resources({"memory": "lots"}),
    "URL with an open bracket": _spec(urls={"view": "https://[::1"}),
    "URL with an IPv6 address without brackets": _spec(urls={"view": "https://2001:db8::1"}),
    "URL with a query": _spec(urls={"view": "https://a.example/?x=1"}),
    "URL with a slash at the end": _spec(urls={"view": "https://a.example/"}),
    "URL with a password": _spec(urls={"view": "https://me:secret@a.example"}),
    "script as URL": _spec(urls={"cdn": "javascript:alert(1)"}),
    "short URL": _spec(urls={"cdn": "x"}),
    "URL on two lines": _spec(urls={"auth": "https://a.example\nX: y"}),
    "reserved label": _spec(podMetadata={"labels": {"app.kubernetes.io/name": "x"}}),
    "our own label": _spec(podMetadata={"labels": {"imghost.dev/tenant": "other"}}),
    "label value with a space": _spec(podMetadata={"labels": {"a": "b c"}}),
    "label key with a space": _spec(podMetadata={"labels": {"a b": "c"}}),
    "label key with an empty DNS part": _spec(podMetadata={"labels": {"a..b/c": "d"}}),
    "label key too long": _spec(podMetadata={"labels": {f"{'a' * 90}.{'b' * 30}/{'c' * 7}": "d"}}),
    "reserved annotation": _spec(podMetadata={"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "x"}}),
    "21 labels": _spec(podMetadata={"labels": {f"k{number}": "" for number in range(21)}}),
    "egress to a name": _egress("collector.example.com"),
    "egress to an address without a prefix": _egress("10.0.0.1"),
    "egress to a netmask": _egress("10.0.0.0/255.0.0.0"),
    "egress to a padded prefix": _egress("10.0.0.0/08"),
    "egress to padded octets": _egress("010.0.0.0/8"),
    "egress to a long prefix": _egress("10.0.0.0/33"),
    "egress to IPv4 in IPv6": _egress("::ffff:169.254.169.254/128"),
    "egress to a zone": _egress("fe80::1%eth0/64"),
    "egress to cloud metadata": _egress("169.254.169.254/32"),
    "egress to link-local IPv6": _egress("FEBF::/16"),
    "egress on two lines": _egress("10.0.0.0/8\n"),
    "egress without a port": _spec(network={"egressTo": [{"cidr": "10.0.0.0/8"}]}),
    "egress to port 0": _egress("10.0.0.0/8", 0),
    "egress twice": _spec(network={"egressTo": [{"cidr": "10.0.0.0/8", "port": 1}] * 2}),
    "bad namespace": _spec(network={"ingressFrom": ["ok", "Bad_Name"]}),
    "two mistakes": _spec(api={"replicas": 300}, deletionPolicy="x"),
    "a mistake and a broken rule": _api(replicas=300, env=[{"name": "PORT", "value": "1"}]),
}

GOOD: dict[str, dict[str, Any]] = {
    "nothing but a name": manifest(),
    "longest name": manifest(metadata={"name": "a" * 40}, spec={}),
    "nulls": manifest(spec={"api": {"replicas": None}, "urls": None, "podMetadata": {"labels": {"a": None}}}),
    "numbers as quantities": _resources({"cpu": 1, "memory": 1048576}, cpu=2, memory="1G"),
    "variables": _api(env=[{"name": "LOG_LEVEL", "value": "debug"}, {"name": "EMPTY"}], replicas=0),
    "variables that only look reserved": _api(env=[{"name": "MY_PATH"}, {"name": "PATHS"}, {"name": "APP_PGHOST"}]),
    "value from a Secret": _from_secret("mine"),
    "value from a ConfigMap that may be missing": _api(
        env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a.b", "key": "k_1.txt", "optional": True}}}]
    ),
    "volumes": _spec(
        imaging={"volumes": [{"name": "a", "configMap": {"name": "b"}}, {"name": "c", "secret": {"secretName": "d"}}]}
    ),
    "identity": _spec(
        imagePullSecrets=[{"name": "a"}, {"name": "b.c"}],
        serviceAccount={"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}},
    ),
    "scheduling of nothing": _spec(scheduling={}, worker={"scheduling": {"affinity": {}}}),
    "node labels of Kubernetes": _scheduling(nodeSelector={"kubernetes.io/arch": "arm64", "pool": ""}),
    "toleration": _toleration(operator="Equal", value="x", effect="NoExecute", tolerationSeconds=0),
    "toleration of a key": _toleration(operator="Exists"),
    "nodes in values": _node("In", "a", ""),
    "nodes above a number": _node("Gt", "7"),
    "pods of the tenant": _near(labelSelector={}, matchLabelKeys=["pod-template-hash"]),
    "spread over a minimum": _spread(whenUnsatisfiable="DoNotSchedule", minDomains=2),
    "spread not at all": _spec(scheduling={"topologySpreadConstraints": [], "priorityClassName": "tenants.low"}),
    "autoscaling": _api(autoscaling={"maxReplicas": 4}),
    "autoscaling kept for later": _api(autoscaling={"enabled": False, "minReplicas": 3, "maxReplicas": 3}),
    "labels": _spec(podMetadata={"labels": {"team": "a", "example.com/x": ""}, "annotations": {"a/b": "c d"}}),
    "AVIF": _limits(formats=["avif"], maxInputBytes="1.5Mi"),
    "egress": _egress("10.1.2.3/8"),
    "egress to everywhere": _egress("0.0.0.0/0", 65535),
    "egress in IPv6": _egress("2001:DB8::1/128", 1),
    "IPv6 URLs": _spec(
        urls={"view": "https://[2001:db8::1]:8443", "auth": "http://[::1]/a", "origins": ["http://[fd00::5]"]}
    ),
    "URLs": _spec(urls={"view": "http://localhost:5003", "cdn": "https://cdn.example.com/a/b"}),
}
