#!/bin/sh
# Makes a sample repository in a folder: hello.git, which stands for a git host, and hello, a clone of it.
#   examples/sample.sh ~/pv-sample
set -eu
dir=${1:?say where, such as ~/pv-sample}
if [ -e "$dir/hello" ]; then
    echo "$dir/hello is there already"
    exit 0
fi
mkdir -p "$dir"
git init --quiet --bare --initial-branch=main "$dir/hello.git"
git clone --quiet "$dir/hello.git" "$dir/hello" 2>/dev/null
cd "$dir/hello"
git switch --quiet --orphan main
printf '# Hello\n' >README.md
git add README.md
git -c user.name=Sample -c user.email=sample@localhost commit --quiet --message="Begin"
git push --quiet --set-upstream origin main
echo "made $dir/hello"
