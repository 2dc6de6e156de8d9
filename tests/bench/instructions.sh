#!/usr/bin/env bash
# Counts instructions, which noise doesn't change, and compares the counts of one run with each other: ten times the
# work may take 12 times the instructions (the allocator's grow a little faster). It also says how many more the core
# takes in wasmtime than natively. There are no absolute limits, which every compiler would change.
#
#   tests/bench/instructions.sh             all of it; fails if anything grows faster than its input
#   tests/bench/instructions.sh plan slug   these only
#
# Needs valgrind (on Debian: apt-get install valgrind).
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v valgrind >/dev/null || { echo "valgrind is needed; on Debian: apt-get install valgrind" >&2; exit 1; }
program=${CARGO_TARGET_DIR:-target}/release/flowhold-bench

# collected WORK SIZE OPTION…: what callgrind counts. If the program fails under callgrind, nothing is counted.
collected() {
    local counted
    counted=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "${@:3}" "$program" "$1" "$2" 2>&1) ||
        { echo "$counted" >&2; return 1; }
    sed -n 's/.*Collected : //p' <<<"$counted"
}

# instructions WORK SIZE: those of the function `measured` and of what it calls. Callgrind loses track of callers where
# stacks are switched, as wasmtime does; there the count is what the work adds to a program that does everything else.
instructions() {
    if [[ $1 == plan-in-wasmtime ]]; then
        local all rest
        all=$(collected session-and-plan "$2")
        rest=$(collected session "$2")
        echo $((all - rest))
    else
        collected "$1" "$2" --collect-atstart=no --toggle-collect='*::measured*'
    fi
}

# The work, a size, ten times that size.
rows=(
    'plan 1000 10000' 'plan-in-wasmtime 1000 10000' 'render 1000 10000' 'json 1000 10000' 'digest 1000000 10000000'
    'slug 1000 10000' 'snapshot 1000 10000' 'restore 1000 10000'
)

for work in "$@"; do
    if [[ " ${rows[*]%% *} " != *" $work "* ]]; then
        echo "there is no work '$work', but: ${rows[*]%% *}" >&2
        exit 2
    fi
done

cargo build --release -p flowhold-bench --bin flowhold-bench
failed=false
declare -A counted
echo '| work | size | instructions | at ten times the size | ratio |'
echo '|---|---|---|---|---|'
for row in "${rows[@]}"; do
    read -r work size tenfold <<<"$row"
    (($# == 0)) || [[ " $* " == *" $work "* ]] || continue
    small=$(instructions "$work" "$size")
    large=$(instructions "$work" "$tenfold")
    counted[$work]=$small
    verdict=$(awk -v small="$small" -v large="$large" 'BEGIN { printf "%.2f%s", large / small, large / small < 12 ? "" : " FAILED: 12 is the most" }')
    [[ $verdict != *FAILED* ]] || failed=true
    echo "| $work | $size | $small | $large | $verdict |"
done
if [[ -n ${counted[plan]:-} && -n ${counted[plan-in-wasmtime]:-} ]]; then
    awk -v native="${counted[plan]}" -v wasmtime="${counted[plan-in-wasmtime]}" \
        'BEGIN { printf "\nplanning 1000 flows in wasmtime takes %.2f times the instructions of the native core\n", wasmtime / native }'
fi
[[ $failed == false ]]
