"""Submits, lists and aborts a job with the client generated from the specification.

Modules are found by path and method, so that only the contract's paths stand here.
"""

import importlib
import json
import sys
import typing

import prompt_valet_client
from openapi_python_client.strings import PythonIdentifier

SPEC = json.load(open("openapi/prompt-valet.json", encoding="utf-8"))


def operation(method, path):
    """Returns the generated module of one operation."""
    found = next(p for p in SPEC["paths"] if p.removeprefix("/api/v1") == path)
    op = SPEC["paths"][found][method]
    tag, name = (PythonIdentifier(part, "") for part in (op["tags"][0], op["operationId"]))
    return importlib.import_module(f"prompt_valet_client.api.{tag}.{name}")


def base_url(address):
    """Returns the address with the prefix that the specification's paths lack."""
    in_paths = any(p.startswith("/api/v1") for p in SPEC["paths"])
    return address if in_paths else address + "/api/v1"


def check(what, response, status):
    body = response.parsed.to_dict() if response.parsed is not None else None
    print(f"{what}: {int(response.status_code)} {body}")
    assert response.status_code == status, f"{what}: expected {status}, got {response.content!r}"
    assert body is not None, f"{what}: the specification does not describe this answer"
    return body


client = prompt_valet_client.Client(base_url=base_url(sys.argv[1]))

submit = operation("post", "/jobs")
body = typing.get_type_hints(submit.sync_detailed)["body"]
request = {"repo": "nova-rey/example", "branch": "main", "markdown_text": "# Demo run\nSay hello."}
job = check("submit", submit.sync_detailed(client=client, body=body.from_dict(request)), 201)

listed = check("list", operation("get", "/jobs").sync_detailed(client=client), 200)
assert [j["job_id"] for j in listed["jobs"]] == [job["job_id"]], "the submitted job is not the one that is listed"
assert listed["jobs"][0]["state"] == "created"

abort = operation("post", "/jobs/{job_id}/abort")
first = check("abort", abort.sync_detailed(job["job_id"], client=client), 200)
assert first["job_id"] == job["job_id"] and first["previous_state"] == "created"
again = check("abort again", abort.sync_detailed(job["job_id"], client=client), 200)
assert again["abort_requested_at"] == first["abort_requested_at"]

missing = check("abort of an unknown job", abort.sync_detailed("0" * 32, client=client), 404)
assert missing["detail"] == "Job not found"
print("the generated client submits, lists and aborts")
