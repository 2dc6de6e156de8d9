# shellcheck shell=bash
# Where the environment lives on disk, and which processes are its own.
#
#   $home/lock    held while the environment is being started or stopped
#   $home/users   held (shared) by every test run, so that the last one out knows it is the last
#   $home/state/  sockets, logs, the daemon's data: deleted as a whole by `stop`
#   $cache/       virtual environments and root file systems, worth keeping between runs
#
# /var/tmp and not XDG_RUNTIME_DIR: images weigh hundreds of megabytes and the latter is often a small tmpfs.

home=${FLOWHOLD_TEST_HOME:-/var/tmp/flowhold-tests-$UID}
cache=${FLOWHOLD_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flowhold-tests}
state=$home/state
# Written last when starting: if it is there, the environment was complete once.
exports=$state/exports.sh
# Present when somebody asked for the environment itself (`run.sh env`): test runs then leave it running.
keep=$state/keep
# The file without which `delete_state` refuses to delete anything.
marker=$state/.flowhold-tests

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# /var/tmp is everybody's: a directory that another user prepared under our name is not used.
claim_home() {
    [[ $home == /* && $home != / ]] || fail "the environment's folder must be an absolute path: $home"
    [[ -d $home ]] || mkdir -p "$home"
    [[ -O $home && ! -L $home ]] || fail "$home belongs to somebody else; set FLOWHOLD_TEST_HOME to another folder"
    chmod 700 "$home"
}

claim_state() {
    mkdir -p "$state" "$cache"
    touch "$marker"
}

# A killed daemon leaves its layers mounted, and deleting through a mount would reach what is mounted.
delete_state() {
    [[ -e $state ]] || return 0
    [[ -e $marker ]] || fail "$state was not made by this script, so it is not deleted"
    local mounted
    while read -r mounted; do
        umount "$mounted" || umount --lazy "$mounted"
    done < <(awk -v under="$state/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
    rm -rf --one-file-system -- "$state"
}

# spawn LOG PROGRAM…: starts a server of the environment in a session of its own (a Ctrl-C at the terminal must not end
# it before the tests have cleaned up), without the locks that this shell holds on 8 and 9.
spawn() {
    local log=$1
    shift
    setsid "$@" </dev/null >>"$log" 2>&1 8>&- 9>&- &
}

# Called at the end of a run, which holds the users' lock. The last user gets that lock alone, and ends the environment,
# unless somebody asked for it.
leave_environment() {
    ! flock --nonblock --exclusive 8 || "$(dirname "${BASH_SOURCE[0]}")/environment.sh" stop-unless-kept
}

# Ids of our processes with one of these names (as in /proc/ID/comm). Our processes have the state folder on their
# command line: unlike the id in a pidfile, that never names another process that got the same number.
processes_named() {
    local directory name command
    for directory in /proc/[0-9]*; do
        name=$(cat "$directory/comm" 2>/dev/null) || continue
        [[ " $* " == *" $name "* ]] || continue
        command=$(tr '\0' ' ' 2>/dev/null <"$directory/cmdline") || continue
        [[ $command != *"$state/"* ]] || printf '%s\n' "${directory#/proc/}"
    done
}

# Ends processes by id: politely, and after 20 seconds for good.
end_processes() {
    (($#)) || return 0
    kill -TERM "$@" 2>/dev/null || true
    local id
    for _ in {1..200}; do
        for id in "$@"; do
            [[ ! -d /proc/$id || $(awk '/^State:/ { print $2 }' "/proc/$id/status" 2>/dev/null) == Z ]] || break
            shift
        done
        (($#)) || return 0
        sleep 0.1
    done
    say "still there after 20 seconds, killed: $*"
    kill -KILL "$@" 2>/dev/null || true
}
