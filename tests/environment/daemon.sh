# shellcheck shell=bash
# A Docker daemon of our own, with its own data, socket and bridge.
#
# The bridge is always our own, and the daemon writes no firewall rules: two daemons that share docker0 and its rules
# take them from each other, and a developer's machine often has a daemon running. So this file writes the three rules
# that let a container reach the package index, and `end_daemon` removes them.
#
# Without root no daemon can be started; then the daemon that the caller names in DOCKER_HOST is used.

# Named after the folder, so that two environments on one machine (of two users, say) leave each other alone.
bridge=flowhold-$(cksum <<<"$home" | cut -c1-6)
socket=$state/docker.sock

# Variables that would lead a client past DOCKER_HOST, or change how it talks to the daemon there.
other_daemon_variables=(DOCKER_CONTEXT DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION)

docker() { DOCKER_CONFIG=$state/docker-config "$docker_program" "$@"; }

daemon_answers() { docker version &>/dev/null; }

# Sets DOCKER_HOST and docker_program.
daemon() {
    docker_program=$(docker_client)
    # An empty configuration: the caller's credential helpers and contexts have no business here.
    mkdir -p "$state/docker-config"
    if ((EUID != 0)); then
        [[ -n ${DOCKER_HOST:-} ]] && daemon_answers && return
        fail "a Docker daemon can only be started by root; run this as root, or set DOCKER_HOST to a daemon that may be used"
    fi
    unset "${other_daemon_variables[@]}"
    export DOCKER_HOST=unix://$socket
    make_bridge
    local attempt
    # After a SIGKILL, what containerd left behind may make the first start fail.
    for attempt in 1 2 3; do
        start_dockerd && return
        say "the Docker daemon did not start (attempt $attempt)"
    done
    tail -n 20 "$state/dockerd.log" >&2
    fail "the Docker daemon does not start; its log is above"
}

start_dockerd() {
    printf '{}\n' >"$state/daemon.json" # not the machine's own /etc/docker/daemon.json
    spawn "$state/dockerd.log" dockerd --config-file "$state/daemon.json" \
        --data-root "$state/docker" --exec-root "$state/exec" --pidfile "$state/dockerd.pid" --host "$DOCKER_HOST" \
        --bridge "$bridge" --mtu "$(outer_mtu)" --iptables=false --ip6tables=false
    local id=$!
    for _ in {1..600}; do
        daemon_answers && return
        [[ -d /proc/$id ]] || return 1
        sleep 0.1
    done
    end_processes "$id"
    return 1
}

# Prints the MTU of the way out: if the bridge allowed larger packets, downloads in containers would hang.
outer_mtu() {
    local device
    device=$(ip -4 route show default | sed -nE 's/.* dev ([^ ]+).*/\1/p' | head -n 1)
    awk '{ print ($1 > 1500 ? 1500 : $1) }' "/sys/class/net/${device:-lo}/mtu"
}

make_bridge() {
    local network
    remove_bridge
    network=$(free_network)
    # The bridge has a MAC address of its own, as Docker makes them. Otherwise it would take a port's, and change it
    # with each container that came or went: the others would send to the old address for a while, and their lookups
    # would fail.
    # shellcheck disable=SC2086
    ip link add "$bridge" address "$(printf '02:42:%02x:%02x:%02x:01' ${network//./ })" type bridge
    ip address add "$network.1/24" dev "$bridge"
    ip link set "$bridge" up
    printf '%s.0/24\n' "$network" >"$state/network"
    bridge_rules -I
}

# The first three bytes of a private network in a range that no route of this machine names.
free_network() {
    local network
    for network in 172.31.213 10.213.77 192.168.213; do
        if ! ip -4 route show table all | grep -qF "${network%.*}."; then
            printf '%s\n' "$network"
            return
        fi
    done
    fail "no free private network for the bridge $bridge"
}

# bridge_rules -I|-D: adds or removes the rules.
bridge_rules() {
    local network
    network=$(cat "$state/network")
    iptables -w -t nat "$1" POSTROUTING -s "$network" ! -o "$bridge" -j MASQUERADE
    iptables -w "$1" FORWARD -i "$bridge" -j ACCEPT
    iptables -w "$1" FORWARD -o "$bridge" -j ACCEPT
}

remove_bridge() {
    if [[ -e $state/network ]]; then
        bridge_rules -D 2>/dev/null || true
        rm -f "$state/network"
    fi
    ip link delete "$bridge" 2>/dev/null || true
}

end_daemon() {
    ((EUID == 0)) || return 0
    local ids
    mapfile -t ids < <(processes_named dockerd)
    end_processes "${ids[@]}"
    end_orphans
    remove_bridge
}

# Ends what a killed daemon leaves: containerd, a shim for each container, and the container under it. They get no time
# to finish: nobody is left to wait for them, and the first process of a container ignores a polite signal.
end_orphans() {
    local ids shim
    mapfile -t ids < <(
        for shim in $(processes_named containerd-shim); do
            cat "/proc/$shim/task"/*/children 2>/dev/null | tr ' ' '\n' | grep . || true
        done
        processes_named containerd containerd-shim docker-proxy
    )
    ((${#ids[@]} == 0)) || kill -KILL "${ids[@]}" 2>/dev/null || true
    end_processes "${ids[@]}"
}
