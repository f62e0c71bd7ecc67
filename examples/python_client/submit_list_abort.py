"""Submits a job, lists the jobs, aborts it, with the client generated from openapi/prompt-valet.json.

usage: submit_list_abort.py [BASE_URL [OWNER/REPO [BRANCH]]]
"""

import sys

from prompt_valet_client import Client
from prompt_valet_client.api.jobs import abort_job, get_job, list_jobs
from prompt_valet_client.api.submit import submit_job
from prompt_valet_client.models import AbortReceipt, ErrorDetail, Job, JobList, NewJob, State, SubmitReceipt


def expect(what, kind, answer):
    """Returns the answer where it is what was hoped for, else ends with the service's own sentence."""
    if not isinstance(answer, kind):
        sys.exit(f"{what}: {getattr(answer, 'detail', answer)}")
    return answer


def main(base_url="http://127.0.0.1:8888/api/v1", repo="nova-rey/example", branch="main"):
    client = Client(base_url=base_url)

    prompt = NewJob(repo=repo, branch=branch, markdown_text="# Demo run\nSay hello.\n")
    receipt = expect("submit", SubmitReceipt, submit_job.sync(client=client, body=prompt))
    print(f"submitted {receipt.job_id} as {receipt.inbox_path}")

    jobs = expect("list", JobList, list_jobs.sync(client=client, repo=repo)).jobs
    for job in jobs:
        print(f"  {job.job_id}  {job.state}  {job.created_at}")
    assert receipt.job_id in [job.job_id for job in jobs], "the submitted job is not listed"

    first = expect("abort", AbortReceipt, abort_job.sync(receipt.job_id, client=client))
    print(f"abort of a {first.previous_state} job asked for at {first.abort_requested_at}")
    again = expect("abort again", AbortReceipt, abort_job.sync(receipt.job_id, client=client))
    assert again.abort_requested_at == first.abort_requested_at, "a repeated abort keeps the first time"

    job = expect("get", Job, get_job.sync(receipt.job_id, client=client))
    assert job.abort_requested or job.state == State.ABORTED
    print(f"the job is {job.state}, abort requested")

    refused = expect("get an unknown job", ErrorDetail, get_job.sync("0" * 32, client=client))
    print(f"an unknown job: {refused.detail}")


if __name__ == "__main__":
    main(*sys.argv[1:])
