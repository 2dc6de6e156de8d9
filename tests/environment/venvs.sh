# shellcheck shell=bash
# Virtual environments, kept in the cache under a name that says what is in them.

# venv PYTHON NAME REQUIREMENT…: prints the path of a Python with exactly these packages (and pip). An environment that
# was left half made, or whose interpreter went away, is made anew.
venv() {
    local python=$1 name=$2
    shift 2
    local key directory
    key=$({ "$python" -I -c 'import sys; print(sys.version, sys.executable)'; printf '%s\n' bytecode "$@"; } |
        sha256sum | cut -c1-12)
    directory=$cache/venvs/$name-$key
    if ! { [[ -e $directory/complete ]] && "$directory/bin/python" -m pip --version &>/dev/null; }; then
        say "making the virtual environment $name: ${*:-nothing but pip}"
        rm -rf -- "$directory"
        "$python" -I -m venv "$directory"
        if (($#)); then
            # With bytecode, as users have it.
            env -u PYTHONDONTWRITEBYTECODE "$directory/bin/python" -m pip install --disable-pip-version-check "$@" \
                </dev/null >"$directory/pip.log" 2>&1 ||
                fail "pip failed: $(tail -n 20 "$directory/pip.log")"
        fi
        touch "$directory/complete"
    fi
    printf '%s\n' "$directory/bin/python"
}
