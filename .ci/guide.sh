#!/usr/bin/env bash
# Pastes the commands of docs/operating.md, one after the other, against `pv api` and `pv watcher` with a scripted
# agent, and checks what the guide promises. Only the address, the root and the job's id are replaced.
# shellcheck disable=SC2016 # $id in single quotes is a variable of jq
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

# Also when a check fails, nothing of the job is left behind.
agent='' daemon='' supervisor=''
trap 'kill -KILL $supervisor $agent $daemon 2>/dev/null || true; clean_up' EXIT

# No progress meter among the answers; the headers of the last answer are kept.
printf 'no-progress-meter\ndump-header = "%s"\n' "$root/headers" >"$root/.curlrc"
export CURL_HOME=$root

# An agent that leaves a daemon behind which ignores SIGTERM, and works until it is let go.
cat >"$root/agent" <<EOF
#!/bin/sh
cat >prompt.txt
echo "agent at work"
setsid sh -c 'trap "" TERM; echo \$\$ >$root/daemon.pid; exec sleep 300' >/dev/null 2>&1 </dev/null &
echo \$\$ >$root/agent.pid
tries=0
until [ -e $root/go ]; do
    tries=\$((tries + 1))
    [ \$tries -lt 1200 ] || exit 9
    sleep 0.1
done
echo
echo "agent is done"
EOF
chmod +x "$root/agent"

# block HEADING: the first block of commands under that heading of the guide.
block() {
    awk -v heading="## $1" '
        /^##/ { here = ($0 == heading) }
        here && /^```$/ { exit }
        here && inside { print }
        here && /^```bash$/ { inside = 1 }
    ' docs/operating.md | sed \
        -e "s|http://127.0.0.1:8888|http://127.0.0.1:$port|g" \
        -e "s|/tmp/pv-job.json|$root/pv-job.json|g" \
        -e "s|{job_id}|${id:-}|g"
}

# paste HEADING: shows the block and runs it, for a minute at most.
paste() {
    local commands
    commands=$(block "$1")
    [[ -n $commands ]] || die "the guide has no commands under '$1'"
    printf '\n## %s\n%s\n' "$1" "$commands" >&2
    timeout 60 bash -euo pipefail -c "$commands" || die "a command under '$1' failed"
}

api() {
    curl -sf -m 10 "http://127.0.0.1:$port/api/v1/$1"
}

state_is() {
    [[ $(api "jobs/$id" | jq -r .state) == "$1" ]]
}

# expect JSON FILTER: the filter must say true of the JSON.
expect() {
    jq -es --arg id "${id:-}" "$2" <<<"$1" >/dev/null || die "not so: $2 of $1"
}

submit() {
    rm -f "$root"/{go,agent.pid,daemon.pid,pv-job.json}
    id=
    paste "Submit a job"
    grep -q '^HTTP/1.1 201 ' "$root/headers" || die "not 201: $(cat "$root/headers" "$root/pv-job.json")"
    id=$(jq -r .job_id "$root/pv-job.json")
    [[ $id =~ ^[0-9a-f]{32}$ ]] || die "no job id in $(cat "$root/pv-job.json")"
    expect "$(cat "$root/pv-job.json")" '.[0] | (.inbox_path | contains($id)) and (.created_at | endswith("Z"))'
}

work_begins() {
    poll 20 "job $id runs" state_is running
    poll 20 "agent of $id is at work" test -s "$root/agent.pid" -a -s "$root/daemon.pid"
    agent=$(cat "$root/agent.pid") daemon=$(cat "$root/daemon.pid")
    running "$agent" || die "agent $agent is not alive"
}

nothing_is_left() {
    poll 10 "agent $agent is gone" gone "$agent"
    poll 10 "daemon $daemon is gone" gone "$daemon"
    agent='' daemon='' supervisor=''
}

start_api
expect "$(paste "Health check")" '.[0].status == "ok"'

# Without a watcher the job waits.
submit
expect "$(paste "List jobs and observe state")" \
    '(.[0].jobs[0].job_id == $id) and (.[1].state == "created") and (.[2].jobs.counts.created == 1)'

start watcher watcher
work_begins
expect "$(paste "List jobs and observe state")" '(.[1].state == "running") and (.[2].jobs.counts.running == 1)'
paste "Stream logs" >"$root/stream" &
stream=$!
sleep 1
touch "$root/go"
wait "$stream" || die "the stream did not end by itself"
poll 20 "job $id succeeds" state_is succeeded
nothing_is_left
sed -n 's/^data: \{0,1\}//p' "$root/stream" | diff - "$root/runs/$id/job.log" || die "the stream differs from the log"
[[ -e $root/finished/$repo/$branch/demo.done.md ]] || die "no finished prompt: $(find "$root/finished")"

submit
work_begins
expect "$(paste "Abort a job")" '.[0] | .job_id == $id and .previous_state == "running" and (.abort_requested_at | endswith("Z"))'
poll 20 "job $id is aborted" state_is aborted
nothing_is_left
[[ -e $root/runs/$id/ABORT ]] || die "no abort marker in $(ls "$root/runs/$id")"

# A supervisor that is stopped sends no heartbeats.
submit
work_begins
supervisor=$(awk '/^PPid:/ { print $2 }' "/proc/$agent/status")
tr '\0' ' ' <"/proc/$supervisor/cmdline" | grep -q supervise || die "process $supervisor is not the supervisor"
kill -STOP "$supervisor"
stalled() { [[ $(api status | jq .jobs.stalled_running) == "$1" ]]; }
poll 20 "job $id is stalled" stalled 1
paste "Diagnose stalled jobs" >"$root/stalled"
kill -CONT "$supervisor"
grep -q "$id" "$root/stalled" || die "the stalled job is not listed: $(cat "$root/stalled")"
poll 20 "job $id is stalled no more" stalled 0
touch "$root/go"
poll 20 "job $id succeeds" state_is succeeded
nothing_is_left

echo "the guide's commands do what it says"
