#!/usr/bin/env python3
"""Records anew what a real kube-apiserver makes of the writes in recorded/writes.json.

    record.py https://HOST:PORT TOKEN

Wants an empty API server without the ServiceAccount and NamespaceLifecycle admission. Each scenario
is a list of writes to one object: `do`, `body` and the rest of a step stand there already, `code` and
`answer` are written, without what differs between runs. Last recorded from Kubernetes 1.35.4.
"""
import json
import os
import ssl
import sys
import urllib.request

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded", "writes.json")
BASE, TOKEN = sys.argv[1:3]
CONTEXT = ssl._create_unverified_context()
PATCHES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json",
           "strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml"}


def call(method, path, body=None, content_type="application/json"):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, method=method, headers={
        "Authorization": "Bearer " + TOKEN, "Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, context=CONTEXT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def scrub(value):
    meta = value.get("metadata")
    if isinstance(meta, dict):
        for name in ("uid", "resourceVersion", "creationTimestamp"):
            meta.pop(name, None)
        for entry in meta.get("managedFields") or []:
            if "time" in entry:
                entry["time"] = "2026-01-01T00:00:00Z"
    return value


def run(base, step, name):
    do, body = step["do"], step.get("body")
    path = f"{base}/{name}" + (f"/{step['subresource']}" if "subresource" in step else "")
    query = f"?fieldManager={step.get('manager', 'tester')}"
    if step.get("force"):
        query += "&force=true"
    if step.get("validation"):
        query += f"&fieldValidation={step['validation']}"
    if do == "create":
        return call("POST", base + query, body)
    if do == "update":
        code, live = call("GET", path)
        body = json.loads(json.dumps(body))
        body.setdefault("metadata", {})["resourceVersion"] = live["metadata"]["resourceVersion"]
        return call("PUT", path + query, body)
    return call("PATCH", path + query, body, PATCHES[do])


def remove(base, name):
    call("DELETE", f"{base}/{name}", {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
    call("PATCH", f"{base}/{name}", {"metadata": {"finalizers": None}}, PATCHES["merge"])
    if base.endswith("/namespaces"):
        empty = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}}
        call("PUT", f"{base}/{name}/finalize", empty)


def main():
    with open(RECORDED) as file:
        document = json.load(file)
    for scenario in document["scenarios"]:
        remove(scenario["base"], scenario["name"])
    for crd in document["definitions"]:
        call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    import time
    time.sleep(5)
    for scenario in document["scenarios"]:
        for step in scenario["steps"]:
            code, answer = run(scenario["base"], step, scenario["name"])
            step["code"], step["answer"] = code, scrub(answer)
        remove(scenario["base"], scenario["name"])
    dump = lambda value: json.dumps(value, sort_keys=True, ensure_ascii=False)
    with open(RECORDED, "w") as file:
        file.write('{"definitions": [\n' + ",\n".join(map(dump, document["definitions"])) + '],\n"scenarios": [\n')
        for index, scenario in enumerate(document["scenarios"]):
            steps = scenario.pop("steps")
            file.write(("," if index else "") + dump(scenario)[:-1] + ', "steps": [\n')
            file.write(",\n".join(map(dump, steps)) + "]}\n")
        file.write("]}\n")


main()
