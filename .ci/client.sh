#!/usr/bin/env bash
# Generates clients from openapi/prompt-valet.json in Python, TypeScript and Rust, and runs each against `pv api` and
# `pv watcher` with a scripted agent: it submits, lists, follows and aborts.
# $1: a virtual environment that holds .ci/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

venv=$(realpath "$1")
description=$PWD/openapi/prompt-valet.json
readonly DRIVE_SECONDS=60

cat >"$root/agent" <<'EOF'
#!/bin/sh
prompt=$(cat)
printf 'one\n\nthree\n'
case $prompt in
    *"until you are stopped"*) while :; do sleep 0.2; done ;;
esac
EOF
chmod +x "$root/agent"

# A record as the earlier service left them, with null where there was nothing: in every list that the clients read.
mkdir "$root/runs/20251205-1216-32"
cat >"$root/runs/20251205-1216-32/job.json" <<EOF
{"job_id": "20251205-1216-32", "state": "succeeded", "git_owner": "$owner", "repo_name": "$repo", "branch_name": "$branch",
 "created_at": "2025-12-05T12:16:32", "finished_at": null, "exit_code": null, "pid": null, "delivery": null, "usage": null,
 "note": ["a key that no program knows"]}
EOF
start_api
start watcher watcher

# drive WHAT COMMAND...: runs a client against the services.
drive() {
    local what=$1
    shift
    timeout "$DRIVE_SECONDS" "$@" "http://127.0.0.1:$port/api/v1" "$owner/$repo" "$branch" || die "the client in $what"
}

# As examples/python_client tells users to. The generator formats with ruff, which it looks for on the PATH.
PATH=$venv/bin:$PATH openapi-python-client generate --path "$description" --meta none \
    --output-path "$root/prompt_valet_client" --fail-on-warning
PYTHONPATH=$root drive Python "$venv/bin/python" examples/python_client/submit_follow_abort.py

cp -r .ci/clients/typescript "$root"
npm ci --prefix "$root/typescript" --ignore-scripts --no-audit --no-fund
(
    cd "$root/typescript"
    node_modules/.bin/openapi-typescript "$description" -o description.ts
    node_modules/.bin/tsc -p .
)
drive TypeScript node "$root/typescript/built/drive.js"

cargo build --locked --manifest-path .ci/clients/rust/Cargo.toml
drive Rust "${CARGO_TARGET_DIR:-.ci/clients/rust/target}/debug/prompt-valet-rust-client"
echo "three clients submitted, listed, followed and aborted"
