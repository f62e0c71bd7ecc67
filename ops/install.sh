#!/bin/sh
# Installs Prompt Valet on a host with systemd: user, folders, binary, env files, units, man page, completions.
# Safe to repeat: what is there already is left alone, and an env file that was edited is never overwritten.
# It enables and starts nothing.
set -eu

usage() {
    cat <<'EOF'
usage: install.sh [--dry-run] [--binary FILE] [--prefix DIR] [--destdir DIR]

  --dry-run       print each step, change nothing
  --binary FILE   the program to install (default: target/release/pv of this checkout)
  --prefix DIR    where programs and pages go (default: /usr/local)
  --destdir DIR   put everything below DIR, make no user and change no owner (also: DESTDIR)
EOF
}

here=$(cd "$(dirname "$0")" && pwd)
dry_run=no
binary=$here/../target/release/pv
prefix=/usr/local
destdir=${DESTDIR:-}

service_user=prompt-valet
user_home=/var/lib/prompt-valet
root=/srv/prompt-valet
env_dir=/etc/prompt-valet
unit_dir=/etc/systemd/system
units='prompt-valet-api.service prompt-valet-watcher.service prompt-valet-ui.service'

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

say() {
    if [ "$dry_run" = yes ]; then echo "would: $*"; else echo "$*"; fi
}

# Says what is done, then does it, unless this is a dry run.
step() {
    say "$1"
    shift
    if [ "$dry_run" = no ]; then "$@"; fi
}

value() {
    if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value"; fi
    echo "$2"
}

while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry_run=yes ;;
        --binary) binary=$(value "$@"); shift ;;
        --prefix) prefix=$(value "$@"); shift ;;
        --destdir) destdir=$(value "$@"); shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
    shift
done

make_user() {
    if [ -n "$destdir" ]; then
        return
    elif id "$service_user" >/dev/null 2>&1; then
        echo "user $service_user is there"
    else
        step "make user and group $service_user, home $user_home" \
            useradd --system --user-group --create-home --home-dir "$user_home" -K HOME_MODE=0750 \
            --shell /usr/sbin/nologin "$service_user"
    fi
}

# folder PATH OWNER:GROUP MODE; a folder that is there keeps its owner and mode, which are only compared.
folder() {
    dir=$destdir$1
    if [ ! -d "$dir" ]; then
        step "make folder $dir ($2, $3)" make_folder "$dir" "$2" "$3"
        return
    fi
    have="$(stat -c '%U:%G %a' "$dir")"
    if [ -n "$destdir" ] || [ "$have" = "$2 $3" ]; then
        echo "folder $dir is there"
    else
        echo "note: $dir is $have, a new one would be $2 $3; left as it is"
    fi
}

make_folder() {
    mkdir -p "$1"
    if [ -z "$destdir" ]; then chown "$2" "$1"; fi
    chmod "$3" "$1" # after chown, which clears the set-group-id bit
}

make_folders() {
    folder "$root" "root:$service_user" 750
    # Members of the group submit and abort here. New entries belong to the group.
    folder "$root/inbox" "$service_user:$service_user" 2770
    folder "$root/runs" "$service_user:$service_user" 2770
    folder "$root/finished" "$service_user:$service_user" 2770
    # Only the watcher and its agents write here.
    folder "$root/repos" "$service_user:$service_user" 750
    folder "$root/work" "$service_user:$service_user" 750
    folder "$root/config" "root:$service_user" 750
}

# put MODE SOURCE TARGET: copies under a new name and renames, so that a program that runs is not disturbed.
put() {
    target=$destdir$3
    if cmp -s "$2" "$target"; then
        echo "$target is up to date"
    else
        step "install $target" copy "$1" "$2" "$target"
    fi
}

copy() {
    mkdir -p "$(dirname "$3")"
    install -m "$1" "$2" "$3.pv-new"
    mv -f "$3.pv-new" "$3"
}

# put_env NAME: an env file that differs from the example was edited, so the example goes beside it.
put_env() {
    env_file=$destdir$env_dir/$1
    if [ ! -e "$env_file" ] || cmp -s "$here/env/$1.example" "$env_file"; then
        put 644 "$here/env/$1.example" "$env_dir/$1"
    else
        put 644 "$here/env/$1.example" "$env_dir/$1.new"
        echo "note: $env_file was edited and stays; compare it with $env_file.new"
    fi
}

put_units() {
    for unit in $units; do
        sed "s|/usr/local/bin/pv|$prefix/bin/pv|" "$here/systemd/$unit" >"$scratch/$unit"
        put 644 "$scratch/$unit" "$unit_dir/$unit"
    done
    if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
        step "systemctl daemon-reload" systemctl daemon-reload
    fi
}

# put_made TARGET ARGS...: installs what the program prints; a program that cannot is no reason to stop.
put_made() {
    page=$1
    shift
    if "$binary" "$@" >"$scratch/made" 2>/dev/null && [ -s "$scratch/made" ]; then
        put 644 "$scratch/made" "$page"
    else
        echo "note: '$binary $*' printed nothing; $page is left out"
    fi
}

next_steps() {
    cat <<EOF

Prompt Valet is installed; nothing is enabled or started. Next:
  1. Edit $env_dir/pv.env and write $root/config/prompt-valet.yaml: 'git_owner' and the agent.
  2. Let the agent log in as the user that runs it, for example: sudo -u $service_user -H codex login
  3. For each repository: sudo -u $service_user git clone URL $root/repos/OWNER/REPO
     and make its inbox: sudo -u $service_user mkdir -p $root/inbox/REPO/BRANCH
  4. Add the people who may submit on this host to the group: sudo usermod -aG $service_user NAME
  5. sudo systemctl start prompt-valet-api.service prompt-valet-watcher.service prompt-valet-ui.service
     (and 'systemctl enable' them once you are content)
  6. $prefix/bin/pv doctor
Uninstalling: see docs/operating.md.
EOF
}

if [ ! -f "$binary" ] || [ ! -x "$binary" ]; then
    fail "no program at $binary; build it with 'cargo build --release' or name one with --binary"
fi
case $prefix in /*) ;; *) fail "--prefix must be an absolute path, not $prefix" ;; esac
case $destdir in '' | /*) ;; *) fail "--destdir must be an absolute path, not $destdir" ;; esac
if [ -z "$destdir" ] && [ "$dry_run" = no ] && [ "$(id -u)" -ne 0 ]; then
    fail "must run as root (or with --destdir, or --dry-run)"
fi
umask 022
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

make_user
make_folders
put 755 "$binary" "$prefix/bin/pv"
put_env pv.env
put_env pv-ui.env
put_units
put_made "$prefix/share/man/man1/pv.1" man
put_made "$prefix/share/bash-completion/completions/pv" completions bash
put_made "$prefix/share/zsh/site-functions/_pv" completions zsh
put_made "$prefix/share/fish/vendor_completions.d/pv.fish" completions fish
if [ "$dry_run" = no ]; then next_steps; fi
