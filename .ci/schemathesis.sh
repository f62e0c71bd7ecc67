#!/usr/bin/env bash
# Tries `pv api` with schemathesis: requests that the description allows and such that it forbids, one by one and in chains,
# with every check that it has. Two runs: one with a fixed seed, and one with another each time, for as long as it may take.
# $1: a virtual environment that holds .ci/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

schemathesis=$(realpath "$1")/bin/schemathesis
readonly FIXED_SEED=20260131 FIXED_EXAMPLES=25 VARYING_SECONDS=20

# Two jobs that are over, with a log and a patch; an agent that is held; and no watcher, so that nothing changes by itself.
printf '#!/bin/sh\ncat\necho more >>notes.md\n' >"$root/agent"
chmod +x "$root/agent"
start_api
for number in 1 2; do
    job=$("$pv" submit --json --api "http://127.0.0.1:$port/api/v1" --repo "$owner/$repo" --branch "$branch" - \
        <<<"# Job $number" | jq -r .job_id)
done
run_once() {
    start once watcher --once
    wait "${pids[-1]}"
}
run_once || die "the jobs that are to be over"
[[ $(curl -sf "http://127.0.0.1:$port/api/v1/jobs?state=succeeded" | jq '.jobs | length') == 2 ]] || die "not over: $(ls "$root/runs")"
mkdir -p "$root/runs/.holds"
cat >"$root/runs/.holds/codex.auth.json" <<EOF
{"agent": "codex", "kind": "auth", "until": "2099-01-31T12:00:00Z", "message": "401 Unauthorized", "since": "2026-01-31T12:00:00Z", "job_id": "$job"}
EOF

curl -sf "http://127.0.0.1:$port/api/v1/openapi.json" | diff openapi/prompt-valet.json - || die "another description is served"

# try NAME OPTIONS...: one run, whose failures are shown with the requests that lead to them.
try() {
    local name=$1
    shift
    echo "--- schemathesis, $name"
    "$schemathesis" --config-file .ci/schemathesis/schemathesis.toml run --no-color --checks all "$@" \
        --report-dir "$root/report" "http://127.0.0.1:$port/api/v1/openapi.json" || die "schemathesis, $name"
}

try "fixed seed" --seed "$FIXED_SEED" --max-examples "$FIXED_EXAMPLES"
try "varying seed" --max-time "$VARYING_SECONDS"
if grep -E 'ERROR|panicked' "$root/api.out"; then die "the service has logged errors"; fi
