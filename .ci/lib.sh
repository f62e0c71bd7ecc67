# Shared by the scripts that try real services: a throw-away root, free ports, processes that are ended by their ids.
# shellcheck shell=bash

# An absolute path: scripts change folders.
pv=$(realpath "${PV:-${CARGO_TARGET_DIR:-target}/debug/pv}")
[[ -x $pv ]] || { echo "no program at $pv; build it with 'cargo build', or set PV" >&2; exit 1; }

root=$(mktemp -d)
owner=nova-rey repo=example branch=main
pids=()

die() {
    echo "FAILED: $*" >&2
    tail -n 20 "$root"/*.out >&2 2>/dev/null || true
    exit 1
}

# poll SECONDS WHAT COMMAND...: repeats the command until it succeeds.
poll() {
    local tries=$(($1 * 10)) what=$2
    shift 2
    until "$@"; do
        ((tries-- > 0)) || die "$what: not in time"
        sleep 0.1
    done
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME ARGS...: starts `pv ARGS...` with a clean environment and its output in NAME.out.
start() {
    local name=$1
    shift
    env -i PATH="$PATH" HOME="$root/home" LANG=C.UTF-8 \
        PV_ROOT="$root" PV_CONFIG_PATH="$root/config/prompt-valet.yaml" \
        PV_REPOS_ROOT="$root/inbox" PV_RUNS_ROOT="$root/runs" \
        PV_BIND_PORT="$port" PV_STALL_THRESHOLD_SECONDS=3 \
        "$pv" "$@" >"$root/$name.out" 2>&1 &
    pids+=($!)
}

healthy() {
    curl -sf -m 5 "http://127.0.0.1:$port/api/v1/healthz" >/dev/null
}

start_api() {
    port=$(free_port)
    start api api
    poll 20 "pv api answers" healthy
}

# running PID: a zombie that nobody has reaped yet does not count.
running() {
    [[ -r /proc/$1/stat ]] && ! grep -q ') Z ' "/proc/$1/stat"
}

gone() {
    ! running "$1"
}

clean_up() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    # A supervisor of a job that has just ended may still write.
    for ((tries = 50; tries > 0; tries--)); do
        rm -rf "$root" 2>/dev/null && return
        sleep 0.1
    done
    rm -rf "$root"
}
trap clean_up EXIT

mkdir -p "$root"/{home,config,runs,finished,work,"inbox/$repo/$branch","repos/$owner/$repo"}
git -c init.defaultBranch="$branch" init -q "$root/repos/$owner/$repo"
git -C "$root/repos/$owner/$repo" -c user.name=CI -c user.email=ci@example.invalid commit -q --allow-empty -m "Begin"
cat >"$root/config/prompt-valet.yaml" <<EOF
git_owner: $owner
default_agent: scripted
agents:
  scripted:
    command: $root/agent
watcher:
  heartbeat_seconds: 1
  abort_grace_seconds: 1
delivery:
  mode: none
EOF
