#!/usr/bin/env bash
# Builds the program from what a registry would get of the four crates, as `cargo install pv-cli` does: each is packed, what is
# in the packages is looked at, and they are built in a workspace of their own with what is built of their dependencies already.
set -euo pipefail
cd "$(dirname "$0")/.."

crates=(pv-lib pv-http pv-watcher pv-cli)
target=$(realpath "${CARGO_TARGET_DIR:-target}")
rm -rf "$target/package"
cargo package --quiet --no-verify --locked --allow-dirty "${crates[@]/#/--package=}"

root=$(mktemp -d "$target/ci-crates.XXXXXX")
trap 'rm -rf "$root"' EXIT
{
    echo '[workspace]'
    echo 'resolver = "3"'
    echo 'members = ["pv-*"]'
    echo '[patch.crates-io]'
    for crate in "${crates[@]}"; do echo "$crate = { path = \"$crate\" }"; done
    # As in our own workspace, so that the dependencies are those that are built.
    sed -n '/^\[profile\.dev/,/^$/p' Cargo.toml
} >"$root/Cargo.toml"
cp Cargo.lock rust-toolchain.toml "$root"
for crate in "${crates[@]}"; do
    packed=("$target/package/$crate"-*.crate)
    mkdir "$root/$crate"
    tar -xzf "${packed[0]}" -C "$root/$crate" --strip-components 1
    echo "$crate: $(tar -tzf "${packed[0]}" | wc -l) files, $(stat -c %s "${packed[0]}") bytes packed"
    left=$(cd "$root/$crate" && find . -type f -not -path './src/*' -not -path './ui/*' -not -path './vendor/*' -not -name Cargo.\* \
        -not -name LICENSE -not -name README.md -not -name build.rs -not -name .cargo_vcs_info.json)
    [[ -z $left ]] || { echo "FAILED: not needed in $crate: $left" >&2; exit 1; }
    for file in LICENSE README.md; do
        [[ -s $root/$crate/$file ]] || { echo "FAILED: no $file in $crate" >&2; exit 1; }
    done
done
# What is built of the dependencies, as links, and nothing of ours: cargo takes crates in the same folders for the same.
mkdir -p "$root/target/debug"
for dir in deps build .fingerprint; do
    [[ ! -d $target/debug/$dir ]] || cp -al "$target/debug/$dir" "$root/target/debug"
done
find "$root/target" -depth \( -name 'pv-*' -o -name 'pv_*' -o -name 'libpv_*' \) -exec rm -rf {} +
cd "$root"
export CARGO_TARGET_DIR=$root/target
cargo build --package pv-cli
# Not a checkout, so that the version alone is said.
[[ $("$root/target/debug/pv" --version) == "pv $(sed -n 's/^version = "\(.*\)"/\1/p' pv-cli/Cargo.toml | head -n 1)" ]]
for file in pv-http/ui/index.html pv-http/vendor/swagger-ui/swagger-ui-bundle.js; do [[ -s $file ]]; done
TMPDIR=$root timeout 60 target/debug/pv demo </dev/null | grep "Done in"
