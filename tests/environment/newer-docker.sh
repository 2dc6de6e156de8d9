#!/usr/bin/env bash
# The newest Docker that Debian has, for Docker tests against it. It takes root and debootstrap.
#
#   tests/environment/newer-docker.sh FOLDER              installs a Debian (sid) with it there, 700 MB
#   PATH=FOLDER/bin:$PATH tests/run.sh env                starts the test environment with its dockerd
#   IMAGES=containerd PATH=FOLDER/bin:$PATH tests/run.sh env   …which keeps images in containerd, as Docker 29 does
set -euo pipefail
shopt -s inherit_errexit

(($# == 1)) || { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$1/bin"
folder=$(cd "$1" && pwd)
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -n 1)
[[ -x $folder/root/usr/sbin/dockerd ]] ||
    debootstrap --variant=minbase --include=docker.io,ca-certificates,iptables,iproute2 sid "$folder/root" "$mirror"

# dockerd has its own programs; processes, network, temporary files, the environment's state and the project are shared.
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cat >"$folder/bin/dockerd" <<END
#!/usr/bin/env bash
set -euo pipefail
cp -L /etc/resolv.conf /etc/hosts "$folder/root/etc/"
for ((at = 1; at < \$#; at++)); do
    next=\$((at + 1))
    [[ \${!at} != --config-file || \${IMAGES:-} != containerd ]] ||
        printf '{"features": {"containerd-snapshotter": true}}\n' >"\${!next}"
done
exec unshare --mount --propagation private bash -euc '
    cd "$folder/root"
    mount --bind . .
    cd "$folder/root"
    for shared in proc sys dev run tmp var/tmp; do mount --rbind "/\$shared" "\$shared"; done
    mkdir -p "old" ".$project"
    mount --rbind "$project" ".$project"
    pivot_root . old
    umount --lazy /old
    exec /usr/sbin/dockerd "\$@"' dockerd "\$@"
END
chmod +x "$folder/bin/dockerd"
"$folder/bin/dockerd" --version
