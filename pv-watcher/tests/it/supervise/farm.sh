# shellcheck shell=sh
# A small farm for tests: commands run on a "node", which no supervisor started, without any mark of a job.
#   farm.sh node ROOT             runs what is queued, while ROOT/full is not there
#   farm.sh run ROOT NAME TEXT    the client: queues it, passes its output on, ends as it does
#   farm.sh stop|alive|outcome|waiting|ask ROOT NAME [SIGNAL]
# While ROOT/away is there nobody answers. What has no file ROOT/verdict came to its own end.
verb=$1 root=$2 name=$3
dir=$root/farm
mkdir -p "$dir/queue" "$dir/out" "$dir/done" "$dir/pids"
of_job() { grep -lsz "^FARM=$name\$" /proc/[0-9]*/environ | sed 's|/proc/\([0-9]*\)/.*|\1|'; }
if [ "$verb" != node ] && [ -e "$root/away" ]; then echo "no answer" >&2; exit 1; fi
case $verb in
node)
    while [ -d "$dir" ]; do
        for job in "$dir"/queue/*.job; do
            if [ -e "$job" ] && [ ! -e "$root/full" ]; then
                name=$(basename "$job" .job)
                mv "$job" "$dir/pids/$name"
                (
                    FARM=$name setsid --wait sh "$dir/pids/$name" <"$dir/queue/$name.stdin" >"$dir/out/$name" 2>&1
                    echo $? >"$dir/done/$name.tmp"
                    mv "$dir/done/$name.tmp" "$dir/done/$name"
                ) &
            fi
        done
        sleep 0.02
    done
    ;;
run)
    cat >"$dir/queue/$name.stdin"
    echo "$4" >"$dir/queue/$name.tmp"
    mv "$dir/queue/$name.tmp" "$dir/queue/$name.job"
    : >"$dir/out/$name"
    shown=0
    while :; do
        over=
        [ -e "$dir/done/$name" ] && over=1
        tail -c +$((shown + 1)) "$dir/out/$name" >"$dir/out/$name.new"
        cat "$dir/out/$name.new"
        shown=$((shown + $(wc -c <"$dir/out/$name.new")))
        [ -n "$over" ] && exit "$(cat "$dir/done/$name")"
        sleep 0.02
    done
    ;;
stop)
    rm -f "$dir/queue/$name.job"
    for pid in $(of_job); do kill -KILL "$pid"; done
    ;;
ask) for pid in $(of_job); do kill -s "$4" "$pid"; done ;;
alive)
    if [ -e "$dir/queue/$name.job" ]; then echo queued; fi
    of_job
    ;;
outcome) if [ -e "$root/verdict" ]; then cat "$root/verdict"; else echo COMPLETED; fi ;;
waiting) if [ -e "$dir/queue/$name.job" ] && [ -e "$root/full" ]; then echo "no node is free"; fi ;;
esac
