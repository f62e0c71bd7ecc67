#!/usr/bin/env bash
# Builds the packages, and uses them as somebody who has nothing else: on a bare Debian with git, without systemd and without
# a network. The archive and the package for Debian each bring a new user from the file to a branch at the remote; then
# systemd is added and booted, and the services, an upgrade in the middle of a job, a removal and a purge are tried.
# Needs root, and the network for the packages of the bare Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

# The three packages that are built here need not be small.
export DPKG_DEB_COMPRESSOR_LEVEL=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
packages=$(realpath "${CARGO_TARGET_DIR:-target}")/packages
packaging/build --out "$packages" "$@"
archive=$(echo "$packages"/*.tar.gz) deb=$(echo "$packages"/*.deb)
. .ci/bare_debian.sh

# What is built: static, the same each time, and as Debian wants it.
tar -xzf "$archive" -C "$machine"
program=$(echo "$machine"/prompt-valet-*/pv)
said=$(ldd "$program" 2>&1) || true
[[ $said =~ 'statically linked'|'not a dynamic executable' ]] || die "it is linked to libraries: $said"
echo "ldd: ${said//[$'\t\n']/ }; $(stat -c %s "$program") bytes; $("$program" --version)"
packaging/build --binary "$program" --out "$machine.again" >/dev/null
diff "$packages/SHA256SUMS" "$machine.again/SHA256SUMS" || die "a second build of the packages has other bytes"
SOURCE_DATE_EPOCH=$((SOURCE_DATE_EPOCH + 86400)) packaging/build --binary "$program" --out "$machine.later" >/dev/null
later=$(echo "$machine.later"/*.deb)
said=$(lintian --fail-on error,warning "$deb" 2>&1) || die "lintian: $said"
echo "lintian: no error and no warning"
rm -r "$(dirname "$program")"

download='systemd systemd-sysv dbus libpam-systemd' make_debian git
cp "$archive" "$deb" "$machine/opt"
cp "$later" "$machine/opt/later.deb"
# An agent that is logged in, and works until it is let go where its prompt says so.
cat >"$machine/usr/local/bin/codex" <<'END'
#!/bin/sh
case "$1" in login) exit 0 ;; exec) ;; *) exit 2 ;; esac
prompt=$(cat)
say() { echo "{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"$1\"}}"; }
say "agent $$ at work"
case $prompt in *"until you are let go"*) until [ -e "$HOME/go" ]; do sleep 0.1; done ;; esac
echo worked >>WORK.txt
say "agent $$ is done"
echo '{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":1}}'
END
chmod 755 "$machine/usr/local/bin/codex"
# What the new user types, in a clone of a bare repository. `$pv` is the program.
cat >"$machine/opt/first-minutes" <<'END'
set -eu
cd
git -c init.defaultBranch=main init -q seed
git -C seed -c user.name=CI -c user.email=ci@localhost commit -q --allow-empty -m Begin
git clone -q --bare seed remote.git
git clone -q remote.git example 2>/dev/null
cd example
"$pv" run "mend the failing test" >../printed 2>&1 || { cat ../printed; exit 1; }
branch=$(git -C ../remote.git for-each-ref --format='%(refname)' 'refs/heads/codex/mend-the-failing-test-*')
[ "$(git -C ../remote.git show "$branch:WORK.txt")" = worked ]
case $(cat ../printed) in *"watcher      started in the background"*) ;; *) cat ../printed; exit 1 ;; esac
"$pv" run "once more" >../printed-again 2>&1
"$pv" down
# Nothing of it is left running. The supervisor of the last job may still remove its checkout.
tries=50
while ls -l /proc/[0-9]*/exe 2>/dev/null | grep "/pv$"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || exit 1
    sleep 0.1
done >/dev/null
cd && rm -rf seed remote.git example .local .config
END
# first_minutes PV: as a new user in the bare system; says how long it took.
first_minutes() {
    local begin
    begin=$(date +%s%N)
    unbooted runuser -u newcomer -- env HOME=/home/newcomer LANG=C pv="$1" sh /opt/first-minutes || die "the first minutes with $1"
    echo "from nothing to the branch at the remote with $1: $((($(date +%s%N) - begin) / 1000000)) ms, with two clones, a second job and \`pv down\`"
}
unbooted useradd --create-home newcomer
! unbooted sh -c 'command -v systemctl' || die "this Debian is not bare"
# Smaller ones have none.
mv "$machine/usr/sbin/adduser" "$machine/opt/adduser"

unbooted tar -xzf "/opt/${archive##*/}" -C /home/newcomer
first_minutes "/home/newcomer/$(basename "$archive" .tar.gz)/pv"

unbooted dpkg -i "/opt/${deb##*/}" >/dev/null || die "the package cannot be installed without systemd"
first_minutes /usr/bin/pv
[[ $(unbooted stat -c '%U:%G %a' /srv/prompt-valet/inbox) == "prompt-valet:prompt-valet 2770" ]] || die "the inbox"
# None of these is run by the services' user, so that a purge leaves nothing of the package.
unbooted dpkg -P prompt-valet >/dev/null || die "it cannot be purged"
left=$(find "$machine"/{etc,usr,var/lib,srv} -not -path '*/dpkg/*' \( -name '*prompt-valet*' -o -path '*/bin/pv' \))
[[ -z $left ]] || die "a purge left $left"
! grep -q prompt-valet "$machine/etc/passwd" || die "a purge left the user"
echo "installed without systemd, used, and purged without a trace"

# The services, under a systemd of their own.
mv "$machine/opt/adduser" "$machine/usr/sbin/adduser"
# Twice: some of them need others to be configured before.
unbooted sh -c 'dpkg -i /opt/packages/*.deb || dpkg -i /opt/packages/*.deb' >/dev/null 2>&1 || die "systemd cannot be installed"
unbooted dpkg -i "/opt/${deb##*/}" >/dev/null || die "the package cannot be installed"
boot
as_service() {
    inside runuser -u prompt-valet -- "$@"
}
units=(prompt-valet-api.service prompt-valet-watcher.service prompt-valet-ui.service)
! inside systemctl is-enabled "${units[@]}" >/dev/null || die "an installation enables what has no settings"
inside tee /srv/prompt-valet/config/prompt-valet.yaml >/dev/null <<'END'
git_owner: nova-rey
delivery:
  mode: branch
END
inside sh -c 'echo "# edited" >>/etc/prompt-valet/pv.env'
as_service sh -eu <<'END'
repo=/srv/prompt-valet/repos/nova-rey/example
git -c init.defaultBranch=main init -q $repo
git -C $repo -c user.name=CI -c user.email=ci@localhost commit -q --allow-empty -m Begin
mkdir -p /srv/prompt-valet/inbox/example/main
END
inside systemctl enable --quiet --now "${units[@]}" || die "the services do not start"

submit() {
    as_service pv submit --json --repo nova-rey/example --branch main - <<<"$1" | jq -r .job_id
}
state_is() {
    [[ $(as_service pv show --json "$1" | jq -r .state) == "$2" ]]
}
at_work() {
    as_service cat "/srv/prompt-valet/runs/$1/job.log" 2>/dev/null | grep -q 'at work'
}
# The service is upgraded in the middle of a job: the watcher is a new one, the agent the same, settings and enabling stay.
long=$(submit '# Work until you are let go')
poll "$STEP_SECONDS" "the agent of $long is at work" at_work "$long"
watcher() {
    inside systemctl show --property MainPID --value prompt-valet-watcher.service
}
before=$(watcher)
inside dpkg -i /opt/later.deb >/dev/null || die "the upgrade"
[[ $(watcher) != "$before" ]] || die "the upgrade left the old watcher"
inside systemctl is-active --quiet "${units[@]}" || die "a service does not run after the upgrade"
inside systemctl is-enabled --quiet "${units[@]}" || die "the upgrade disabled a service"
inside grep -qx '# edited' /etc/prompt-valet/pv.env || die "the upgrade lost the settings"
state_is "$long" running || die "the upgrade ended a job"
as_service touch /var/lib/prompt-valet/go
poll "$STEP_SECONDS" "job $long succeeds" state_is "$long" succeeded
[[ $(as_service grep -c 'at work' "/srv/prompt-valet/runs/$long/job.log") == 1 ]] || die "its agent ran twice"
echo "upgraded in the middle of a job, which went on to its end"

# A user's own systemd keeps the watcher of `pv run`, where there is one.
uid=$(inside id -u newcomer)
inside loginctl enable-linger newcomer || die "no lingering"
has_systemd() {
    inside test -e "/run/user/$uid/systemd/private"
}
poll "$STEP_SECONDS" "the user has a systemd" has_systemd
inside runuser -u newcomer -- env HOME=/home/newcomer XDG_RUNTIME_DIR="/run/user/$uid" LANG=C sh -eu <<'END' || die "with a systemd of the user"
cd
git -c init.defaultBranch=main init -q own
git -C own -c user.name=CI -c user.email=ci@localhost commit -q --allow-empty -m Begin
cd own
pv run "under systemd" >../printed 2>&1 || { cat ../printed; exit 1; }
pid=$(sed -n 's/.*started in the background (pid \([0-9]*\)).*/\1/p' ../printed)
# It is a unit of the user, and each job had a control group of its own below it.
grep -q "/user@.*/prompt-valet-[0-9]*.service" "/proc/$pid/cgroup" || { cat ../printed "/proc/$pid/cgroup"; exit 1; }
grep -l '"containment": *"cgroup"' ~/.local/state/prompt-valet/runs/*/job.json >/dev/null ||
    { cat ~/.local/state/prompt-valet/runs/*/job.json; exit 1; }
pv down
END
echo "the systemd of a user kept the watcher of \`pv run\`"

# A removal in the middle of a job stops the services and takes the program; the job comes to its end, and its work is there.
as_service rm /var/lib/prompt-valet/go
last=$(submit '# Work until you are let go')
poll "$STEP_SECONDS" "the agent of $last is at work" at_work "$last"
inside dpkg -r prompt-valet >/dev/null || die "it cannot be removed"
inside test ! -e /usr/bin/pv || die "a removal left the program"
inside test -e /etc/prompt-valet/pv.env || die "a removal took the settings"
! inside systemctl is-active --quiet "${units[@]}" || die "a removal left a service running"
as_service touch /var/lib/prompt-valet/go
is_over() {
    inside grep -q '"state": *"succeeded"' "/srv/prompt-valet/runs/$last/job.json"
}
poll "$STEP_SECONDS" "job $last succeeds without the program" is_over
inside dpkg -P prompt-valet >/dev/null || die "it cannot be purged"
inside test ! -e /etc/prompt-valet || die "a purge left the settings"
inside test -e "/srv/prompt-valet/runs/$last/job.json" || die "a purge took the jobs"
inside id prompt-valet >/dev/null || die "a purge took the owner of the jobs"
[[ -z $(inside find /etc/systemd /usr/lib/systemd -name 'prompt-valet*') ]] || die "a purge left units"
echo "removed in the middle of a job, which went on to its end, and purged; the jobs stay, and their owner"
