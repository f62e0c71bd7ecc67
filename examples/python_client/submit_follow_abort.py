"""Submits a job, lists the jobs, follows its log, aborts it, with the client generated from openapi/prompt-valet.json.

usage: submit_follow_abort.py [BASE_URL [OWNER/REPO [BRANCH]]]
"""

import json
import sys

import httpx
from prompt_valet_client import Client
from prompt_valet_client.api.jobs import abort_job, get_job, list_jobs
from prompt_valet_client.api.logs import stream_job_log
from prompt_valet_client.api.submit import submit_job
from prompt_valet_client.models import AbortReceipt, ErrorDetail, Job, JobList, NewJob, State, SubmitReceipt


def expect(what, kind, answer):
    """Returns the answer where it is what was hoped for, else ends with the service's own sentence."""
    if not isinstance(answer, kind):
        sys.exit(f"{what}: {getattr(answer, 'detail', answer)}")
    return answer


def follow(client, job_id):
    """Yields the lines of a job's log as they come; the last thing that it yields is a dict that says how the job ended."""
    # The generated function returns a stream when it is over: this reads the same response as it comes.
    request = stream_job_log._get_kwargs(job_id, end=True)
    with client.get_httpx_client().stream(**request) as response:
        response.raise_for_status()
        event = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data:"):
                data = line.removeprefix("data:").removeprefix(" ")
                yield json.loads(data) if event == "end" else data
            elif not line:
                event = ""


def main(base_url="http://127.0.0.1:8888/api/v1", repo="nova-rey/example", branch="main"):
    # A silent stream sends a comment every 15 s.
    client = Client(base_url=base_url, timeout=httpx.Timeout(60))

    prompt = NewJob(repo=repo, branch=branch, markdown_text="# Demo run\nWork until you are stopped.\n")
    receipt = expect("submit", SubmitReceipt, submit_job.sync(client=client, body=prompt))
    print(f"submitted {receipt.job_id} as {receipt.inbox_path}")

    jobs = expect("list", JobList, list_jobs.sync(client=client, repo=repo)).jobs
    for job in jobs:
        print(f"  {job.job_id}  {job.state}  {job.created_at}")
    assert receipt.job_id in [job.job_id for job in jobs], "the submitted job is not listed"

    first, end = None, None
    for line in follow(client, receipt.job_id):
        if isinstance(line, dict):
            end = line
            continue
        print(f"  | {line}")
        if first is None:
            first = expect("abort", AbortReceipt, abort_job.sync(receipt.job_id, client=client))
            print(f"abort of a {first.previous_state} job asked for at {first.abort_requested_at}")
    assert first is not None, "the job wrote nothing"
    print(f"the job ended as {end['state']}")

    job = expect("get", Job, get_job.sync(receipt.job_id, client=client))
    assert job.state == State(end["state"]) == State.ABORTED

    refused = expect("get an unknown job", ErrorDetail, get_job.sync("0" * 32, client=client))
    print(f"an unknown job: {refused.detail}")


if __name__ == "__main__":
    main(*sys.argv[1:])
