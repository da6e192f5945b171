#!/usr/bin/env python3
"""Derives types.json, the table of the built-in types, from Kubernetes' own OpenAPI documents.

    derive.py MODULES 1.35.4 > types.json

MODULES is the folder `k8s.io` of the Go module cache, into which `go mod download` puts the modules
of a release: kubernetes, api, apimachinery, apiextensions-apiserver, kube-aggregator. Only facts
are taken: names, types, list and map types, patch keys, defaults and verbs; and from the Go tags,
which fields are written when they are empty.

A field reads `TYPE WORD...`. TYPE is a scalar, `any`, `[ELEMENT]`, `{VALUE}` or the name of a type.
The words: `written` (when absent, its zero value is), `optional` (absent and zero differ), `atomic`,
`granular`, `set`, `map=KEY,...` (how server-side apply sees it), `merge` and `merge=KEY` (how a strategic
merge patch sees it), `default=JSON`.
"""
import glob
import json
import os
import re
import sys

KINDS = """
core/v1 Namespace Node Pod ConfigMap Secret Service Endpoints Event ServiceAccount PersistentVolume
 PersistentVolumeClaim ReplicationController LimitRange ResourceQuota PodTemplate
apps/v1 Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision
batch/v1 Job CronJob
rbac.authorization.k8s.io/v1 Role ClusterRole RoleBinding ClusterRoleBinding
networking.k8s.io/v1 Ingress IngressClass NetworkPolicy
storage.k8s.io/v1 StorageClass CSIDriver CSINode VolumeAttachment CSIStorageCapacity
apiextensions.k8s.io/v1 CustomResourceDefinition
apiregistration.k8s.io/v1 APIService
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration MutatingWebhookConfiguration
 ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
coordination.k8s.io/v1 Lease
discovery.k8s.io/v1 EndpointSlice
events.k8s.io/v1 Event
policy/v1 PodDisruptionBudget
scheduling.k8s.io/v1 PriorityClass
autoscaling/v1 HorizontalPodAutoscaler
autoscaling/v2 HorizontalPodAutoscaler
node.k8s.io/v1 RuntimeClass
flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
"""
# What is sent to subresources; nothing of it is stored.
BODIES = """
core/v1 Binding
authentication.k8s.io/v1 TokenRequest
autoscaling/v1 Scale
policy/v1 Eviction
"""
SHORT_NAMES = {
    "Namespace": "ns", "Node": "no", "Pod": "po", "ConfigMap": "cm", "Service": "svc",
    "Endpoints": "ep", "Event": "ev", "ServiceAccount": "sa", "PersistentVolume": "pv",
    "PersistentVolumeClaim": "pvc", "ReplicationController": "rc", "LimitRange": "limits",
    "ResourceQuota": "quota", "Deployment": "deploy", "StatefulSet": "sts", "DaemonSet": "ds",
    "ReplicaSet": "rs", "CronJob": "cj", "Ingress": "ing", "NetworkPolicy": "netpol",
    "StorageClass": "sc", "CustomResourceDefinition": "crd crds", "PodDisruptionBudget": "pdb",
    "PriorityClass": "pc", "HorizontalPodAutoscaler": "hpa",
}
CATEGORIES = {
    "all": "Pod Service ReplicationController Deployment StatefulSet DaemonSet ReplicaSet Job "
           "CronJob HorizontalPodAutoscaler",
    "api-extensions": "CustomResourceDefinition APIService ValidatingWebhookConfiguration "
                      "MutatingWebhookConfiguration ValidatingAdmissionPolicy "
                      "ValidatingAdmissionPolicyBinding",
}
VERBS = {"post": "create", "put": "update", "watchlist": "watch"}
GO_PACKAGES = [
    (r"io\.k8s\.api\.(\w+)\.(\w+)\.\w+", "api@v0.{release}/{0}/{1}"),
    (r"io\.k8s\.(apimachinery|apiextensions-apiserver|kube-aggregator)\.pkg\.apis\.(\w+)\.(\w+)\.\w+",
     "{0}@v0.{release}/pkg/apis/{1}/{2}"),
]
LEAVES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any atomic",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any atomic",
}


def short(name):
    """io.k8s.api.core.v1.Pod -> core/v1.Pod"""
    parts = name.split(".")
    return f"{parts[-3]}/{parts[-2]}.{parts[-1]}"


def package(modules, release, name):
    """The Go text of the package that holds a type."""
    for pattern, folder in GO_PACKAGES:
        match = re.fullmatch(pattern, name)
        if match:
            folder = os.path.join(modules, folder.format(*match.groups(), release=release))
            return "".join(open(file).read() for file in sorted(glob.glob(folder + "/types*.go")))
    return ""


def go_tags(text, type_name):
    """The Go type and the JSON options of each field of a struct, inlined ones included."""
    body = re.search(rf"^type {type_name} struct {{\n(.*?)^}}", text, re.M | re.S)
    tags = {}
    for line in body[1].splitlines() if body else []:
        inlined = re.match(r'\s+(\w+)\s+`json:",inline"', line)
        field = re.match(r'\s+\w+\s+(\S+)\s+`json:"([^",]+)(,[^"]*)?"', line)
        if inlined:
            tags.update(go_tags(text, inlined[1]))
        elif field:
            tags[field[2]] = (field[1], field[3] or "")
    return tags


def presence(name, schema, spec, tags):
    """Whether a field is written when it is empty, or keeps its zero value apart from absence."""
    if name not in tags:
        return ["written"] if schema.get("default") == {} else []
    go_type, options = tags[name]
    boxed = go_type.startswith(("*", "[", "map")) or spec.startswith("any")
    struct = schema.get("default") == {} or spec in ("time", "microtime", "quantity", "int-or-string")
    if "omitzero" not in options and ("omitempty" not in options or (struct and not boxed)):
        return ["written"] + (["optional"] if go_type.startswith("*") else [])
    return ["optional"] if go_type.startswith("*") else []


def type_of(schema, queue):
    ref = schema.get("$ref") or (schema.get("allOf") or [{}])[0].get("$ref")
    if ref:
        name = ref.rsplit("/", 1)[1]
        if name in LEAVES:
            return LEAVES[name]
        queue.append(name)
        return short(name)
    kind = schema.get("type")
    if kind == "array":
        return f"[{type_of(schema['items'], queue)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"{{{type_of(values, queue)}}}" if values else "any"
    if kind == "string":
        return "bytes" if schema.get("format") == "byte" else "string"
    return {"integer": schema.get("format", "int64"), "boolean": "bool", "number": "number"}.get(kind, "any")


def words(schema):
    found = []
    order = schema.get("x-kubernetes-list-type")
    if order == "map":
        found.append("map=" + ",".join(schema["x-kubernetes-list-map-keys"]))
    elif order:
        found.append(order)
    if "x-kubernetes-map-type" in schema:
        found.append(schema["x-kubernetes-map-type"])
    strategy = schema.get("x-kubernetes-patch-strategy", "").split(",")
    if "merge" in strategy:
        key = schema.get("x-kubernetes-patch-merge-key")
        found.append(f"merge={key}" if key else "merge")
    default = schema.get("default")
    if default not in (None, "", 0, False, {}):
        found.append("default=" + json.dumps(default, separators=(",", ":")))
    return found


def record(name, schema, modules, release, queue):
    if "properties" not in schema:
        return "any"
    tags = go_tags(package(modules, release, name), name.rsplit(".", 1)[1])
    fields = {}
    for field, sub in sorted(schema["properties"].items()):
        spec = type_of(sub, queue)
        fields[field] = " ".join([spec, *presence(field, sub, spec, tags), *words(sub)])
    if schema.get("x-kubernetes-map-type") == "atomic":
        fields[""] = "atomic"
    return fields


def resources(paths, wanted):
    found = {}
    for path, item in paths.items():
        match = re.fullmatch(r"/(?:api|apis/([^/]+))/([^/]+)(/watch)?(/namespaces/{namespace})?/([^/{]+)(/{name})?(/\w+)?", path)
        if not match:
            continue
        group, version, watch, namespaced, plural, _, sub = match.groups()
        for verb, operation in item.items():
            gvk = operation.get("x-kubernetes-group-version-kind") if isinstance(operation, dict) else None
            if not gvk:
                continue
            entry = found.setdefault((group or "", version, plural), {"verbs": set(), "subs": set()})
            if sub:
                entry["subs"].add(sub[1:])
                continue
            entry["kind"] = gvk["kind"]
            entry["namespaced"] = entry.get("namespaced", False) or bool(namespaced)
            action = operation["x-kubernetes-action"]
            entry["verbs"].add(VERBS.get(action, action))
    rows = []
    for (group, version, plural), entry in sorted(found.items()):
        kind = entry.get("kind")
        if (group or "core", version, kind) not in wanted or "create" not in entry["verbs"]:
            continue
        row = {"group": group, "version": version, "kind": kind, "plural": plural,
               "namespaced": entry["namespaced"], "verbs": " ".join(sorted(entry["verbs"]))}
        row["short"] = SHORT_NAMES.get(kind, "")
        row["categories"] = " ".join(c for c, kinds in CATEGORIES.items() if kind in kinds.split())
        row["subresources"] = " ".join(sorted(entry["subs"] & {"status", "scale"}))
        rows.append(row)
    return rows


def kinds(text):
    found, group_version = [], None
    for word in text.split():
        if "/" in word:
            group_version = tuple(word.split("/"))
        else:
            found.append((*group_version, word))
    return found


def main():
    modules, release = sys.argv[1], sys.argv[2].removeprefix("1.")
    schemas, paths = {}, {}
    for file in glob.glob(f"{modules}/kubernetes@v1.{release}/api/openapi-spec/v3/*_openapi.json"):
        with open(file) as handle:
            document = json.load(handle)
        schemas.update(document.get("components", {}).get("schemas", {}))
        paths.update(document.get("paths", {}))
    rows = resources(paths, set(kinds(KINDS)))
    bodies = [{"group": "" if group == "core" else group, "version": version, "kind": kind}
              for group, version, kind in kinds(BODIES)]
    queue, types = [], {}
    for row in rows + bodies:
        for name, schema in schemas.items():
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                if (gvk["group"], gvk["version"], gvk["kind"]) == (row["group"], row["version"], row["kind"]):
                    row["type"] = short(name)
                    queue.append(name)
    while queue:
        name = queue.pop()
        if short(name) not in types:
            types[short(name)] = record(name, schemas[name], modules, release, queue)
    dump = lambda value: json.dumps(value, ensure_ascii=False)
    print('{"resources": [')
    print(",\n".join(" " + dump(row) for row in rows))
    print('],\n"bodies": [')
    print(",\n".join(" " + dump(row) for row in bodies))
    print('],\n"types": {')
    print(",\n".join(f" {dump(name)}: " + (dump(fields) if isinstance(fields, str) else "{\n" + ",\n".join(
        f"  {dump(field)}: {dump(spec)}" for field, spec in fields.items()) + "}") for name, fields in sorted(types.items())))
    print("}}")


main()
