# Shared by the checks that need a bare Debian: makes one, boots it with its own systemd, runs commands in it, removes it.
# Whoever sources this needs root, and the network for the packages of the bare Debian.
# shellcheck shell=bash

readonly BOOT_SECONDS=60 STEP_SECONDS=60
[[ $(id -u) -eq 0 ]] || { echo "a bare Debian can only be made as root: run this check as root" >&2; exit 1; }

# Not below the checkout: inside, others than root must reach it.
machine=$(mktemp -d /var/tmp/pv-debian.XXXXXX)
chmod 755 "$machine"
container='' leader=''

die() {
    echo "FAILED: $*" >&2
    tail -n 30 "$machine.console" >&2 2>/dev/null || true
    [[ -z $leader ]] || inside journalctl --no-pager -n 60 >&2 || true
    exit 1
}

# poll SECONDS WHAT COMMAND...: repeats the command until it succeeds.
poll() {
    local tries=$(($1 * 5)) what=$2
    shift 2
    until "$@"; do
        ((tries-- > 0)) || die "$what: not in time"
        sleep 0.2
    done
}

# make_debian PACKAGE...: the suite of this host, so that a program that was linked here finds its libraries. The packages of
# `download`, and what they need, are put into its folder /opt/packages and not installed.
make_debian() {
    local suite begin=$SECONDS hooks=()
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    if [[ -n ${download:-} ]]; then
        hooks=(
            --customize-hook="rm -f \"\$1\"/var/cache/apt/archives/*.deb"
            --customize-hook="APT_CONFIG=\"\$MMDEBSTRAP_APT_CONFIG\" apt-get -qq --no-install-recommends --download-only install $download"
            --customize-hook="mkdir \"\$1/opt/packages\" && mv \"\$1\"/var/cache/apt/archives/*.deb \"\$1/opt/packages\""
        )
    fi
    mmdebstrap --quiet --variant=minbase "${@/#/--include=}" "${hooks[@]}" "$suite" "$machine" || die "no bare Debian $suite"
    echo "a bare Debian $suite with $* after $((SECONDS - begin)) s"
}

# boot: starts the machine's own systemd, without a network.
boot() {
    systemd-nspawn --register=no --keep-unit --boot --private-network --quiet --console=pipe --directory="$machine" \
        </dev/null >"$machine.console" 2>&1 &
    container=$!
    poll "$BOOT_SECONDS" "the system has a first process" find_leader
    poll "$BOOT_SECONDS" "the system is up" is_up
    inside systemctl --version | head -n 1
}

find_leader() {
    leader=$(cut -d ' ' -f 1 "/proc/$container/task/$container/children" 2>/dev/null) && [[ -n $leader ]]
}

is_up() {
    # `degraded`: some unit of Debian's own does not like its container.
    [[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]
}

# inside COMMAND...: runs it in the booted system.
inside() {
    timeout "$STEP_SECONDS" nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup -- \
        /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# unbooted COMMAND...: runs it in the system that is not booted, without a network, and ends what it leaves running.
unbooted() {
    # shellcheck disable=SC2016 # The inner shell expands them.
    timeout "$STEP_SECONDS" unshare --mount --pid --fork --kill-child --net --ipc --uts -- \
        sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$machine" \
        /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

clean_up() {
    if [[ -n $leader ]] && kill -0 "$leader" 2>/dev/null; then
        # SIGRTMIN+4 tells systemd to power off.
        kill -s RTMIN+4 "$leader" 2>/dev/null || true
        for ((tries = 75; tries > 0; tries--)); do
            kill -0 "$container" 2>/dev/null || break
            sleep 0.2
        done
    fi
    if [[ -n $container ]]; then
        kill -KILL "$leader" "$container" 2>/dev/null || true
        wait "$container" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$machine" "$machine".*
}
trap clean_up EXIT
trap 'exit 1' INT TERM
