#!/usr/bin/env bash
# The test environment as a whole: a Docker daemon, two registries, two base images, and the Pythons that go with them.
# `start` writes the variables that tests need to a file, and `tests/run.sh env` prints them.
#
#   environment.sh install            installs the programs that it needs (start does, too)
#   environment.sh start [keep]       starts it unless it runs; with keep, test runs leave it running
#   environment.sh stop               ends it and deletes its state
#   environment.sh stop-unless-kept
set -euo pipefail
# Without this a failing step inside $(…) would go unnoticed.
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=state.sh
source "$here/state.sh"
# shellcheck source=install.sh
source "$here/install.sh"
# shellcheck source=pythons.sh
source "$here/pythons.sh"
# shellcheck source=venvs.sh
source "$here/venvs.sh"
# shellcheck source=daemon.sh
source "$here/daemon.sh"
# shellcheck source=registry.sh
source "$here/registry.sh"
# shellcheck source=base-image.sh
source "$here/base-image.sh"

start() {
    if running; then
        say "the test environment is running already: $state"
    else
        # Removes what an earlier, killed run left.
        stop
        trap stop EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        claim_state
        install_missing
        find_pythons
        daemon
        fill
        trap - EXIT INT TERM
    fi
    [[ ${1:-} != keep ]] || touch "$keep"
}

# True if an earlier start was complete and everything that it started still answers.
running() {
    [[ -e $exports ]] || return 1
    (
        # shellcheck source=/dev/null
        source "$exports"
        docker_program=$FLOWHOLD_TEST_DOCKER daemon_answers && [[ $(processes_named docker-registry | wc -l) == 2 ]]
    )
}

# Makes everything that needs a daemon. The exports are written last, in one piece: they say that all is there.
fill() {
    local open auth user=flowhold password
    password=$(secret)
    open=$(registry open)
    auth=$(registry auth "$user" "$password")

    # The twins of the base images are virtual environments too, bare ones, so that packages in the interpreter itself
    # stay invisible to tests.
    local base_twin other_twin pickling original=''
    base_twin=$(venv "$base_python" base)
    other_twin=$(venv "$other_python" other)
    pickling=$(venv "$base_python" pickling cloudpickle packaging)
    if [[ -n $original_python ]]; then
        original=$(venv "$original_python" original 'prefect==0.6.6' 'urllib3<2' 'requests<2.32')
    fi

    local base other
    base=$open/python:$(minor_of "$base_python")-slim
    other=$open/python:$(minor_of "$other_python")-slim
    # Side by side: most of the time goes into compressing for the push, on one core each.
    local first second
    base_image "$base_python" "$base" "$pickling" &
    first=$!
    base_image "$other_python" "$other" "$pickling" &
    second=$!
    wait "$first"
    wait "$second"

    {
        ((EUID != 0)) || printf 'unset %s\n' "${other_daemon_variables[*]}"
        export_line DOCKER_HOST "$DOCKER_HOST"
        export_line FLOWHOLD_TEST_DOCKER "$docker_program"
        export_line FLOWHOLD_TEST_REGISTRY "$open"
        export_line FLOWHOLD_TEST_AUTH_REGISTRY "$auth"
        export_line FLOWHOLD_TEST_AUTH_USER "$user"
        export_line FLOWHOLD_TEST_AUTH_PASSWORD "$password"
        export_line FLOWHOLD_TEST_BASE_IMAGE "$base"
        export_line FLOWHOLD_TEST_BASE_PYTHON "$base_twin"
        export_line FLOWHOLD_TEST_OTHER_BASE_IMAGE "$other"
        export_line FLOWHOLD_TEST_OTHER_BASE_PYTHON "$other_twin"
        export_line FLOWHOLD_TEST_CLOUDPICKLE_PYTHON "$pickling"
        export_line FLOWHOLD_TEST_PACKAGING_PYTHON "$pickling"
        [[ -z $original ]] || export_line FLOWHOLD_TEST_PREFECT_PYTHON "$original"
    } >"$exports.part"
    mv "$exports.part" "$exports"
}

export_line() { printf 'export %s=%q\n' "$1" "$2"; }

stop() {
    release_services
    [[ -e $state ]] || return 0
    # If the daemon is not ours, its images are not in our state folder, and are removed one by one.
    if ((EUID != 0)) && [[ -e $exports ]]; then
        # shellcheck source=/dev/null
        source "$exports"
        docker_program=$FLOWHOLD_TEST_DOCKER
        docker image rm "$FLOWHOLD_TEST_BASE_IMAGE" "$FLOWHOLD_TEST_OTHER_BASE_IMAGE" &>/dev/null || true
    fi
    end_registries
    end_daemon
    delete_state
}

claim_home
# One start or stop at a time.
exec 9>>"$home/lock"
flock 9

case ${1:-} in
    install) install_missing ;;
    start) start "${2:-}" ;;
    stop) stop ;;
    stop-unless-kept) [[ -e $keep ]] || stop ;;
    *) fail "usage: environment.sh install | start [keep] | stop | stop-unless-kept" ;;
esac
