#!/usr/bin/env bash
# Boots a bare Debian with its own systemd, installs Prompt Valet there by ops/install.sh, and runs the three units: a job is
# submitted and succeeds, the watcher is restarted in the middle of another, which goes on with the same agent, everything is
# stopped, and the journal has no complaint. Needs root, and the network for the packages of the bare Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

pv=$(realpath "${PV:-${CARGO_TARGET_DIR:-target}/debug/pv}")
[[ -x $pv ]] || { echo "no program at $pv; build it with 'cargo build', or set PV" >&2; exit 1; }
. .ci/bare_debian.sh

# as_service COMMAND...: as the services' user.
as_service() {
    inside runuser -u prompt-valet -- "$@"
}

begin=$SECONDS
make_debian systemd systemd-sysv git

# What is on this host beside the packages: the program, and the folder that ops/install.sh is in.
mkdir "$machine/opt/prompt-valet"
cp -r ops "$machine/opt/prompt-valet"
install -m 755 "$pv" "$machine/opt/prompt-valet/pv"
# An agent that works until it is let go, if its prompt says so.
cat >"$machine/usr/local/bin/scripted-agent" <<'EOF'
#!/bin/sh
prompt=$(cat)
echo "agent $$ at work"
case $prompt in
    *"until you are let go"*) until [ -e "$PV_RUN_ROOT/../go" ]; do sleep 0.2; done ;;
esac
echo more >>notes.md
echo "agent $$ is done"
EOF
chmod 755 "$machine/usr/local/bin/scripted-agent"

boot

inside /opt/prompt-valet/ops/install.sh --binary /opt/prompt-valet/pv >/dev/null || die "the installer"
inside tee /srv/prompt-valet/config/prompt-valet.yaml >/dev/null <<'EOF'
git_owner: nova-rey
default_agent: scripted
agents:
  scripted:
    command: /usr/local/bin/scripted-agent
delivery:
  mode: branch
EOF
as_service sh -eu <<'EOF'
repo=/srv/prompt-valet/repos/nova-rey/example
git -c init.defaultBranch=main init -q $repo
git -C $repo -c user.name=CI -c user.email=ci@example.invalid commit -q --allow-empty -m Begin
mkdir -p /srv/prompt-valet/inbox/example/main
EOF

units=(prompt-valet-api.service prompt-valet-watcher.service prompt-valet-ui.service)
# Each says that it is ready, so they are when this returns.
inside systemctl start "${units[@]}" || die "the units do not start"
inside systemctl is-active "${units[@]}" || die "the units are not active"

# Through the page's service, which forwards to the API.
api=http://127.0.0.1:8080/api/v1
client() {
    as_service pv --api "$api" "$@"
}
submit() {
    client submit --json --repo nova-rey/example --branch main - <<<"$1" | jq -r .job_id
}
state_is() {
    [[ $(client show --json "$1" | jq -r .state) == "$2" ]]
}
log_of() {
    as_service cat "/srv/prompt-valet/runs/$1/job.log"
}

[[ $(client status --json | jq -r .watcher.alive) == true ]] || die "no watcher is alive: $(client status)"
quick=$(submit '# Do it')
poll "$STEP_SECONDS" "job $quick succeeds" state_is "$quick" succeeded
as_service git -C /srv/prompt-valet/repos/nova-rey/example branch --list | grep -F "$quick" || die "no branch of $quick"
client show --json "$quick" | jq -c '{state, exit_code, containment, agent}'

# The watcher is restarted in the middle of a job: same agent, right end.
long=$(submit '# Work until you are let go')
at_work() {
    log_of "$long" 2>/dev/null | grep -q 'at work'
}
poll "$STEP_SECONDS" "the agent of $long is at work" at_work
agent=$(log_of "$long" | sed -n 's/^agent \([0-9]*\) at work$/\1/p')
watcher() {
    inside systemctl show --property MainPID --value prompt-valet-watcher.service
}
before=$(watcher)
inside systemctl restart prompt-valet-watcher.service || die "the watcher does not restart"
[[ $(watcher) != "$before" ]] || die "the watcher is the old one"
inside test -d "/proc/$agent" || die "the agent ended with the watcher"
state_is "$long" running || die "$long does not run any more"
as_service touch /srv/prompt-valet/runs/go
poll "$STEP_SECONDS" "job $long succeeds" state_is "$long" succeeded
[[ $(log_of "$long") == "agent $agent at work"$'\n'"agent $agent is done" ]] || die "another agent: $(log_of "$long")"
echo "the watcher was restarted, and agent $agent of $long went on"

inside systemctl stop "${units[@]}" || die "the units do not stop"
for unit in "${units[@]}"; do
    [[ $(inside systemctl show --property ActiveState,Result --value "$unit" | tr '\n' ' ') == "success inactive " ]] ||
        die "$unit did not end well: $(inside systemctl status --no-pager "$unit" || true)"
done
no_process_is_left() {
    ! inside ps -u prompt-valet -o pid=,args= 2>/dev/null | grep .
}
poll 20 "no process of the services is left" no_process_is_left

# What systemd says of the units, and what they say themselves. Two things are said and right: that a job was left running
# when the watcher was restarted, and that other hosts may read the page as it is installed.
complaints() {
    inside journalctl --no-pager --output=cat --priority=warning "${units[@]/#/--unit=}" |
        grep -v -e '^-- No entries --$' \
            -e '^prompt-valet-watcher.service: Found left-over process ' -e '^This usually indicates unclean termination' || true
    inside journalctl --no-pager --output=cat "${units[@]/#/--unit=}" |
        grep -E ' (WARN|ERROR) |panicked' | grep -v 'other hosts may READ all jobs' || true
}
said=$(complaints)
[[ -z $said ]] || die "the journal complains: $said"
echo "the units under a real systemd: two jobs, one restart, no complaint, after $((SECONDS - begin)) s"
