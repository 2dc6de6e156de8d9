# shellcheck shell=bash
# Image registries on loopback. The kernel chooses their ports, which are read from the registries' own logs.

# registry NAME [USER PASSWORD]: starts a registry and prints its host:port. The host is "localhost": the daemon allows
# plain http for it, and a person would write it.
registry() {
    local name=$1 user=${2:-} password=${3:-}
    local directory=$state/registry-$name
    mkdir -p "$directory/data"
    cat >"$directory/config.yml" <<END
version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: $directory/data }
  delete: { enabled: true }
http:
  addr: 127.0.0.1:0
  secret: $(secret)
END
    if [[ -n $user ]]; then
        htpasswd -niB "$user" <<<"$password" >"$directory/htpasswd"
        cat >>"$directory/config.yml" <<END
auth:
  htpasswd: { realm: flowhold-tests, path: $directory/htpasswd }
END
    fi
    spawn "$directory/log" docker-registry serve "$directory/config.yml"
    local port
    for _ in {1..200}; do
        port=$(sed -nE 's/.*listening on 127\.0\.0\.1:([0-9]+).*/\1/p' "$directory/log" | head -n 1)
        [[ -n $port ]] && printf 'localhost:%s\n' "$port" && return
        sleep 0.1
    done
    tail -n 20 "$directory/log" >&2
    fail "the registry $name did not start"
}

# Letters and digits only: passwords go through URLs, JSON and shells in tests.
secret() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }

end_registries() {
    local ids
    mapfile -t ids < <(processes_named docker-registry)
    end_processes "${ids[@]}"
}
