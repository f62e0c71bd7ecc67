#!/usr/bin/env bash
# Types the commands of each example's README, with the stand-in for an agent and a home of its own, and looks what became
# of its jobs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

bin=$root/bin
mkdir "$bin"
ln -s "$pv" "$bin/pv"
printf '#!/bin/sh\nexit 1\n' >"$bin/claude"
chmod +x "$bin/claude"

# blocks README: the commands of all its blocks.
blocks() {
    awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$1"
}

# type_out NAME: types all commands of an example, for two minutes at most.
type_out() {
    local name=$1 commands home=$root/user-$1
    commands=$(blocks "examples/$name/README.md")
    [[ -n $commands ]] || die "examples/$name/README.md has no commands"
    mkdir "$home"
    printf '\n## %s\n' "$name" >&2
    (
        export HOME=$home PATH=$bin:$PATH PV_ROOT=$home/root XDG_CONFIG_HOME=$home/config XDG_RUNTIME_DIR=$home/run
        export PV_CONFIG_PATH=$home/config/prompt-valet/config.yaml GIT_CONFIG_NOSYSTEM=1
        unset PV_BIND_PORT PV_BIND_HOST
        mkdir -p "$XDG_RUNTIME_DIR"
        # Whatever stops here, nothing goes on behind it.
        trap 'pv down >/dev/null 2>&1 || true; PV_ROOT=$home/pv-inbox pv down >/dev/null 2>&1 || true' EXIT
        timeout 120 bash -euo pipefail -c "$commands"
    ) || die "a command of examples/$name/README.md failed"
}

# records NAME: what is in the records of its jobs.
records() {
    find "$root/user-$1" -path '*/runs/*/job.json' -exec cat {} + | jq -s .
}

# expect NAME FILTER: the filter must say true of its records.
expect() {
    jq -e "$2" <<<"$(records "$1")" >/dev/null || die "$1: not so: $2 of $(records "$1")"
}

for name in one_shot inbox api ci verified; do
    type_out "$name"
done
expect one_shot 'length == 2 and all(.[]; .state == "succeeded" and .agent == "codex")'
expect inbox 'length == 1 and .[0].state == "succeeded" and .[0].title == "Greet the reader"'
expect api 'length == 1 and .[0].state == "succeeded"'
expect ci 'length == 1 and .[0].state == "succeeded" and .[0].delivery.branch != null'
expect verified 'length == 1 and .[0].state == "succeeded" and .[0].verified == true'

echo "the examples' commands do what they say"
