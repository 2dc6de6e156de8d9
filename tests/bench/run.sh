#!/usr/bin/env bash
# Compares Flowhold with the original, Prefect 0.6.6: in turn, on one daemon, registry, base image, flow and
# dependencies. Prints a table of medians and ratios, and keeps every single figure as JSON.
#
#   tests/bench/run.sh                             every case, 3 rounds
#   tests/bench/run.sh --rounds 5 edited preview   these cases, 5 rounds
#   tests/bench/run.sh --help                      all cases and options
#
# FLOWHOLD_BIN and FLOWHOLD_BENCH_BIN name binaries to use in place of newly built ones. A test environment that is
# running is used; its last user ends it, unless somebody has asked for it (tests/run.sh env).
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PATH:$HOME/.cargo/bin
# shellcheck source=../environment/state.sh
source tests/environment/state.sh

if [[ " $* " == *' --help '* ]]; then
    exec python3 tests/bench/run.py --help
fi

if [[ -z ${FLOWHOLD_BIN:-} || -z ${FLOWHOLD_BENCH_BIN:-} ]]; then
    cargo build --release -p flowhold -p flowhold-bench --bins
fi
built=${CARGO_TARGET_DIR:-$PWD/target}/release
export FLOWHOLD_BIN=${FLOWHOLD_BIN:-$built/flowhold} FLOWHOLD_BENCH_BIN=${FLOWHOLD_BENCH_BIN:-$built/flowhold-bench}

# As long as this lock is held, no test run ends the environment.
claim_home
exec 8>>"$home/users"
flock --shared 8
trap leave_environment EXIT
tests/environment/environment.sh start
# shellcheck source=/dev/null
source "$exports"

# Without exec, so that the trap runs at the end.
python3 tests/bench/run.py "$@"
