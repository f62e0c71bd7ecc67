#!/usr/bin/env bash
# Generates a Python client from openapi/prompt-valet.json, as examples/python_client tells users to, and runs its script
# against `pv api`.
# $1: a virtual environment that holds .ci/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

venv=$(realpath "$1")
# The generator formats with ruff, which it looks for on the PATH.
export PATH=$venv/bin:$PATH
openapi-python-client generate --path openapi/prompt-valet.json --meta none \
    --output-path "$root/prompt_valet_client" --fail-on-warning
start_api
PYTHONPATH=$root timeout 60 "$venv/bin/python" examples/python_client/submit_list_abort.py \
    "http://127.0.0.1:$port/api/v1" "$owner/$repo" "$branch" || die "the generated client"
