#!/bin/sh
# A job of a build server: works on the clone in the current folder, with an installation of its own in $PV_ROOT.
#   examples/ci/job.sh prompt.md
# Ends as the job ends: 0 delivered, 1 failed, 5 refused (no agent, no branch), 7 aborted.
set -eu
prompt=${1:?say which prompt}
# In a pipe there are no colours, no links and no line that is drawn again.
status=0
pv run "$prompt" || status=$?
pv list --json -n 1 >"${PV_ROOT:?}/result.json"
pv down
exit "$status"
