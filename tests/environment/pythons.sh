# shellcheck shell=bash
# The Pythons of this machine. Two of different minor versions are needed: each becomes a base image and its twin on
# the host, so that tests can build for the Python that pickled a flow and for one that did not.

# Best first. The original (Prefect 0.6.6) runs unmodified on the first three only.
original_minors=(3.9 3.8 3.7)
base_minors=("${original_minors[@]}" 3.10 3.11 3.12 3.13)
other_minors=(3.11 3.12 3.10 3.13 3.9 3.8 3.7)

# Lists every interpreter that might do, in no order: pyenv's, and those that the PATH has under a full name.
candidate_pythons() {
    local root=${PYENV_ROOT:-} minor
    if [[ -z $root ]] && command -v pyenv >/dev/null; then
        root=$(pyenv root)
    fi
    [[ -z $root ]] || printf '%s\n' "$root"/versions/*/bin/python3
    for minor in "${base_minors[@]}"; do
        # pyenv's shims are skipped: one exists for every version, and most of them refuse to run.
        type -ap "python$minor" | grep -v /shims/ || true
    done
}

# Prints "MINOR PATH" for an interpreter with what a base image and a virtual environment need. A virtual
# environment is no base: its library is elsewhere.
usable_python() {
    [[ -x $1 ]] || return 0
    "$1" -I - 2>/dev/null <<'END' || true
import ctypes, ensurepip, sqlite3, ssl, sys, venv, zlib
if sys.prefix == sys.base_prefix:
    print("%d.%d %s" % (sys.version_info[0], sys.version_info[1], sys.executable))
END
}

usable_pythons() {
    local candidate
    while read -r candidate; do
        usable_python "$candidate"
    done < <(candidate_pythons)
}

# first_python LIST MINOR…: the path of the first of these minors in a list made by usable_pythons.
first_python() {
    local list=$1 minor
    shift
    for minor; do
        sed -n "s/^${minor/./\\.} //p" <<<"$list" | head -n 1 | grep . && return
    done
    return 1
}

minor_of() { "$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# Sets base_python, other_python and original_python (empty where the original cannot run).
find_pythons() {
    local list base_minor minors=() minor
    list=$(usable_pythons)
    if base_python=$(first_python "$list" "${base_minors[@]}"); then
        base_minor=$(minor_of "$base_python")
        for minor in "${other_minors[@]}"; do
            [[ $minor == "$base_minor" ]] || minors+=("$minor")
        done
    fi
    if [[ -z $base_python ]] || ! other_python=$(first_python "$list" "${minors[@]}"); then
        say "found: ${list:-nothing}"
        fail "two Pythons of different minor versions are needed, with pip, ssl and venv; with pyenv: pyenv install 3.9 3.11"
    fi
    if ! original_python=$(first_python "$list" "${original_minors[@]}"); then
        say "warning: no Python 3.7 to 3.9, so the original cannot run here and tests that compare with it fail"
        say "         with pyenv: pyenv install 3.9"
    fi
}
