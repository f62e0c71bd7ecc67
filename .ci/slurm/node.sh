#!/usr/bin/env bash
# A real Slurm of one node, for tests: munged, slurmctld and slurmd, as root, without systemd, on loopback.
#   node.sh start DIR          starts it; prints the line that clients need in their environment
#   node.sh stop DIR           cancels what runs, and ends the three
#   node.sh ctld-stop DIR      ends the controller alone, as a host that went away
#   node.sh ctld-start DIR     starts it again, with what it knew
# All that it has is below DIR. PV_SLURM_CPUS (2), PV_SLURM_KILL_WAIT (5), PV_SLURM_PROCTRACK (cgroup) say what it is like;
# with PV_SLURM_MEMORY, in MB, it has so much and holds jobs to what they asked for.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd -P)
export SLURM_CONF=$dir/slurm.conf
readonly WAIT_SECONDS=30

die() {
    echo "node.sh: $*" >&2
    exit 1
}

# The pid of a daemon that was started for DIR, where it lives: another process may have got its number since.
live() { # PIDFILE PROGRAM
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]] || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qF -- "$dir/" || return 1
    echo "$pid"
}

until_true() { # COMMAND…
    local end=$((SECONDS + WAIT_SECONDS))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

is_gone() { ! live "$1" "$2"; }

end() { # PIDFILE PROGRAM
    local pid
    pid=$(live "$1" "$2") || return 0
    kill -TERM "$pid" 2>/dev/null || true
    until_true is_gone "$1" "$2" || kill -KILL "$pid" 2>/dev/null || true
    rm -f "$1"
}

# What the host's name means is where the daemons and srun listen.
address() { getent ahostsv4 "$(hostname -s)" | awk 'NR == 1 { print $1; found = 1 } END { exit !found }'; }

is_free() { ! (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

takes_work() { timeout 5 sinfo -h -o %T | grep -qE '^(idle|mixed|allocated|completing)$'; }

write_settings() {
    local host addr port task=none bind=NoCtldInAddrAny,NoInAddrAny
    [[ -z ${PV_SLURM_MEMORY:-} ]] || task=cgroup
    host=$(hostname -s)
    addr=$(address) || die "the host's name has no address: add '127.0.0.1 $host' to /etc/hosts"
    [[ $addr == 127.0.0.1 || $addr != 127.* ]] || bind=NoCtldInAddrAny
    for port in $(seq $((18000 + RANDOM % 400 * 2)) 2 18999); do
        is_free "$addr" "$port" && is_free "$addr" $((port + 1)) && break
    done
    cat >"$dir/slurm.conf" <<CONF
ClusterName=pvtest
SlurmctldHost=$host($addr)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
CommunicationParameters=$bind
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
SlurmUser=root
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdPidFile=$dir/slurmd.pid
SlurmdLogFile=$dir/slurmd.log
SlurmdSpoolDir=$dir/spool
StateSaveLocation=$dir/state
ProctrackType=proctrack/${PV_SLURM_PROCTRACK:-cgroup}
TaskPlugin=task/$task
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core${PV_SLURM_MEMORY:+_Memory}
SchedulerParameters=sched_min_interval=100000
ReturnToService=2
KillWait=${PV_SLURM_KILL_WAIT:-5}
SlurmctldTimeout=60
SlurmdTimeout=60
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=$host NodeAddr=$addr CPUs=${PV_SLURM_CPUS:-2} ${PV_SLURM_MEMORY:+RealMemory=$PV_SLURM_MEMORY} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    echo CgroupAutomount=yes >"$dir/cgroup.conf"
    [[ -z ${PV_SLURM_MEMORY:-} ]] || printf '%s\n' ConstrainRAMSpace=yes ConstrainSwapSpace=yes >>"$dir/cgroup.conf"
    # Where there is cgroup v2 alone it would ask systemd for its folder.
    [[ ! -f /sys/fs/cgroup/cgroup.controllers ]] || echo IgnoreSystemd=yes >>"$dir/cgroup.conf"
}

start_controller() {
    slurmctld "$@" -f "$dir/slurm.conf" </dev/null >/dev/null 2>&1
    until_true timeout 5 scontrol ping || die "slurmctld does not answer: see $dir/slurmctld.log"
}

start() {
    [[ $(id -u) -eq 0 ]] || die "needs root"
    mkdir -p "$dir"/{state,spool,munge}
    chmod 755 "$dir" "$dir/munge"
    [[ -s $dir/munge.key ]] || (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
    write_settings
    munged --force --key-file="$dir/munge.key" --socket="$dir/munge/socket" --pid-file="$dir/munge/munged.pid" \
        --log-file="$dir/munge/munged.log" --seed-file="$dir/munge/munged.seed" --num-threads=2 </dev/null >/dev/null 2>&1
    until_true munge --socket="$dir/munge/socket" -n || die "munged does not answer: see $dir/munge/munged.log"
    start_controller -c
    slurmd -f "$dir/slurm.conf" </dev/null >/dev/null 2>&1
    until_true takes_work || die "the node takes no work: see $dir/slurmd.log"
    echo "export SLURM_CONF=$dir/slurm.conf"
}

stop() {
    if live "$dir/slurmctld.pid" slurmctld >/dev/null; then
        { timeout 5 squeue -s -h -o %i | xargs -r timeout 5 scancel --signal=KILL; timeout 5 scancel --me; } >/dev/null 2>&1 || true
        until_true test -z "$(timeout 5 squeue -h)" || true
    fi
    end "$dir/slurmd.pid" slurmd
    end "$dir/slurmctld.pid" slurmctld
    end "$dir/munge/munged.pid" munged
}

case $verb in
start) start ;;
stop) stop ;;
ctld-stop) end "$dir/slurmctld.pid" slurmctld ;;
ctld-start) start_controller ;;
*) die "start, stop, ctld-stop or ctld-start" ;;
esac
