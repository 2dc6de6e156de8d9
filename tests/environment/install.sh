# shellcheck shell=bash
# The programs that the environment needs, and the Debian packages that bring them.

# program  packages (sbin is searched too: dockerd and iptables live there)
needed_programs() {
    cat <<'END'
dockerd         docker.io
docker-registry docker-registry
busybox         busybox-static
htpasswd        apache2-utils
iptables        iptables
ip              iproute2
openssl         openssl
cc              gcc libc6-dev
c++             g++
strace          strace
valgrind        valgrind
chromium        chromium
END
}

missing_packages() {
    local program packages
    while read -r program packages; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || printf '%s\n' "$packages"
    done < <(needed_programs)
    # A dynamic busybox would not start in an image that lacks its libraries, so it is not enough to find the program.
    if command -v busybox >/dev/null && ldd "$(command -v busybox)" &>/dev/null; then
        printf 'busybox-static\n'
    fi
    # Debian's Python can be a base Python only with the pip that this package brings.
    if [[ -x /usr/bin/python3 ]] && ! /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
        printf 'python3-venv\n'
    fi
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || printf 'ca-certificates\n'
}

install_missing() {
    local packages
    packages=$(missing_packages | sort -u | tr '\n' ' ')
    [[ -n $packages ]] || return 0
    if ((EUID != 0)); then
        fail "these are needed; as root, run: apt-get install $packages"
    fi
    say "installing $packages"
    hold_services
    local done=true
    # shellcheck disable=SC2086 # a list of words
    {
        apt-get update && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $packages
    } </dev/null >"$home/apt.log" 2>&1 || done=false
    release_services
    if [[ $done == false ]]; then
        tail -n 20 "$home/apt.log" >&2
        fail "installing failed; by hand: apt-get install $packages"
    fi
}

# With this file, Debian does not start the packages' own services, which would take docker0 and port 5000.
services=/usr/sbin/policy-rc.d

hold_services() {
    [[ -e $services ]] || install -m 755 /dev/stdin "$services" <<<$'#!/bin/sh\n# of the tests of Flowhold\nexit 101'
}

release_services() {
    ! grep -qs '^# of the tests of Flowhold' "$services" || rm -f "$services"
}

# Prefers Debian's client to any other on the PATH: a newer client asks for plugins that are not there.
docker_client() {
    local client
    for client in /usr/bin/docker "$(command -v docker || true)"; do
        [[ -x $client ]] && printf '%s\n' "$client" && return
    done
    fail "no docker client; install docker.io"
}
