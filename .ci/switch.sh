#!/usr/bin/env bash
# Follows the commands of docs/switching-over.md, one after the other, on a root that the earlier service left, and checks
# that nothing of it is lost or run twice. Only places are replaced; `systemctl` starts and stops the services here.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=.ci/lib.sh
. .ci/lib.sh

# What the library made for its own scripts goes; the root is the earlier service's.
rm -rf "${root:?}"/*
id=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
cp -R pv-cli/tests/it/earlier_root/. "$root"
mv "$root/inbox/example/main/api-@ID@.prompt.md" "$root/inbox/example/main/api-$id.prompt.md"
grep -rlE '@(ROOT|ID)@' "$root" | xargs sed -i -e "s|@ROOT@|$root|g" -e "s|@ID@|$id|g"
port=$(free_port) ui_port=$(free_port)
sed -i -e "s|8888|$port|" -e "s|=8080|=$ui_port|" -e "s|0\.0\.0\.0|127.0.0.1|" "$root"/etc/*.env
mkdir -p "$root"/{bin,dest,repos/nova-rey}
ln -s "$pv" "$root/bin/pv"
cat >"$root/codex" <<EOF2
#!/bin/sh
cat >work.md
sed -n 's/^# //p' work.md >>$root/ran
echo "plain text"
EOF2
chmod +x "$root/codex"
git -c init.defaultBranch=main init -q "$root/repos/nova-rey/example"
git -C "$root/repos/nova-rey/example" -c user.name=CI -c user.email=ci@example.invalid commit -q --allow-empty -m "Begin"
git clone -q --bare "$root/repos/nova-rey/example" "$root/remote.git"
git -C "$root/repos/nova-rey/example" remote add origin "$root/remote.git"

# The page's setting for a runner that writes plain text.
awk '/^```yaml$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/switching-over.md >>"$root/config/prompt-valet.yaml"
grep -q 'events: none' "$root/config/prompt-valet.yaml" || die "the page has no setting for a runner that writes plain text"

# What the commands call. Whose files they are is for systems that have the user.
cat >"$root/commands.sh" <<EOF2
export PATH=$root/bin:\$PATH
sudo() { if [[ \$1 == -u ]]; then shift 2; fi; "\$@"; }
chown() { echo "chown \$*"; }
chgrp() { echo "chgrp \$*"; }
systemctl() {
    local unit verb=\$1
    shift
    for unit; do
        unit=\${unit#prompt-valet-} unit=\${unit%.service}
        if [[ \$verb == start ]]; then
            # As systemd reads the files: a remark stays in its value.
            mapfile -t variables < <(grep -hE '^[A-Z_]+=' $root/etc/pv.env $root/etc/pv-ui.env)
            env -i PATH="\$PATH" HOME=$root "\${variables[@]}" pv "\$unit" >"$root/\$unit.out" 2>&1 &
            echo \$! >>$root/pids
        fi
    done
}
EOF2

# The blocks of commands under "Switch", each after its number, without the indentation of the list.
awk '
    /^## / { here = ($0 == "## Switch") }
    here && /^ *```bash$/ { inside = 1; next }
    here && /^ *```$/ { if (inside) printf "%c", 0; inside = 0 }
    here && inside { sub(/^ {3}/, ""); print }
' docs/switching-over.md | sed -z \
    -e "s|/srv/prompt-valet|$root|g" -e "s|/etc/prompt-valet|$root/etc|g" \
    -e "s|\./ops/install.sh|ops/install.sh --binary $pv --destdir $root/dest|" >"$root/blocks"
mapfile -d '' blocks <"$root/blocks"
((${#blocks[@]} == 6)) || die "the page has ${#blocks[@]} steps"
trap '[[ ! -e $root/pids ]] || xargs kill <"$root/pids" 2>/dev/null || true; clean_up' EXIT
for block in "${blocks[@]}"; do
    printf '\n%s' "$block" >&2
    said=$(timeout 60 bash -euo pipefail -c ". $root/commands.sh; $block") || die "that failed: $said"
    case $block in
        *running.md*) [[ $said == *left.running.md* ]] || die "the file in flight is not found: $said" ;;
        *doctor*) [[ $said == *"$root/inbox"* && $said == *"has no effect"* ]] || die "the settings are not shown: $said" ;;
    esac
done
[[ -e $root/dest/usr/local/bin/pv ]] || die "nothing was installed"
poll 20 "pv api answers" healthy
poll 20 "pv ui answers" curl -sf -m 5 "http://127.0.0.1:$ui_port/api/v1/healthz" -o /dev/null

api() {
    curl -sf -m 10 "http://127.0.0.1:$port/api/v1/$1"
}
all_over() {
    [[ -z $(find "$root/inbox/example" -type f) ]] && api jobs | jq -e '[.jobs[].state] | index("created", "running") == null' >/dev/null
}
poll 60 "all is over" all_over
jobs=$(api jobs)
expect() {
    jq -e --arg id "$id" "$1" <<<"$jobs" >/dev/null || die "not so: $1 of $jobs"
}
expect '.jobs | length == 11'
expect '[.jobs[] | select(.job_id | startswith("2026")) | .state] == ["failed", "aborted", "succeeded", "failed", "succeeded"]'
# shellcheck disable=SC2016 # jq's own variable
expect '[.jobs[] | select(.job_id == $id) | .state, .inbox_rel] == ["succeeded", "example/main/api-\($id).prompt.md"]'
expect '[.jobs[] | select(.inbox_rel == "example/main/left.prompt.md") | .reason] == ["interrupted", "interrupted"]'
diff <(printf '%s\n' "Waits below" "Waits by the API" "Waits in the branch" "Waits with an empty head") <(sort "$root/ran") ||
    die "not each was run once"
(cd pv-cli/tests/it/earlier_root && find finished processed -type f) | while read -r file; do
    cmp "pv-cli/tests/it/earlier_root/$file" "$root/$file" || die "$file is not what it was"
done
echo "the page's commands take the earlier service's root over"
