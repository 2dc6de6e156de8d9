# shellcheck shell=bash
# Base images like python:X.Y-slim, made of a Python of this machine: in tests nothing can be pulled from outside.
#
# A root file system holds the interpreter with its library (without tests), the shared libraries that both load,
# busybox, pip out of the interpreter's own bundle, and the machine's certificates. It is kept in the cache as a tar.

# base_image PYTHON REFERENCE PIP_PYTHON: makes and imports the image, and pushes it. PIP_PYTHON is asked for pip's
# settings, with which a build has to reach the same package index as this machine does.
base_image() {
    local python=$1 reference=$2 pip_python=$3
    local archive settings line changes=()
    archive=$(root_archive "$python")
    settings=$(image_settings "$pip_python")
    while IFS= read -r line; do
        changes+=(--change "$line")
    done <<<"$settings"
    say "importing $reference"
    docker import "${changes[@]}" "$archive" "$reference" >/dev/null
    # These modules load the libraries that are forgotten first; better to fail here than in the middle of a test.
    docker run --rm --network none "$reference" python -c 'import ctypes, hashlib, pip, socket, sqlite3, ssl, zlib' >&2 ||
        fail "$reference does not work"
    docker push --quiet "$reference" >/dev/null
}

# The Dockerfile instructions that `docker import` applies.
image_settings() {
    cat <<'END'
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LANG=C.UTF-8
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ENV REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
END
    "$1" "$here/pip-settings.py"
}

# Prints the path of the tar of a root file system, made now or earlier by this very recipe.
root_archive() {
    local python=$1 minor key archive root
    minor=$(minor_of "$python")
    key=$({
        "$python" -I -c 'import sys; print(sys.version, sys.executable)'
        cat "$here/base-image.sh" "$(certificates)"
    } | sha256sum | cut -c1-12)
    archive=$cache/images/python-$minor-$key.tar
    if [[ ! -e $archive ]]; then
        say "making the root file system of Python $minor"
        mkdir -p "$cache/images"
        rm -f -- "$cache/images/python-$minor"-*
        root=$(mktemp -d "$state/root-$minor.XXXX")
        make_root "$python" "$root"
        tar -C "$root" -cf "$archive.part" --owner=0 --group=0 --numeric-owner .
        mv "$archive.part" "$archive"
        rm -rf -- "$root"
    fi
    printf '%s\n' "$archive"
}

certificates() { printf '%s\n' "${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}"; }

make_root() {
    local python=$1 root=$2
    umask 022
    chmod 755 "$root"
    make_skeleton "$root"
    copy_python "$python" "$root"
    copy_libraries "$root"
}

make_skeleton() {
    local root=$1 directory applet
    mkdir -p "$root"/{dev,etc/ssl/certs,home,opt,proc,root,run,srv,sys,tmp,var/tmp,usr/{bin,sbin,lib,lib64,local/{bin,lib}}}
    for directory in bin sbin lib lib64; do
        ln -s "usr/$directory" "$root/$directory"
    done
    chmod 1777 "$root/tmp" "$root/var/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    cp -L "$(certificates)" "$root/etc/ssl/certs/ca-certificates.crt"
    cp -L "$(command -v busybox)" "$root/usr/bin/busybox"
    for applet in $(busybox --list); do
        [[ $applet == busybox ]] || ln -s /usr/bin/busybox "$root/usr/bin/$applet"
    done
}

copy_python() {
    local python=$1 root=$2 minor program stdlib site target wheels wheel
    minor=$(minor_of "$python")
    # Debian's own Python has its paths under /usr built in and stays there; any other Python finds its library from
    # where its program is, and goes where the images of python.org have it.
    IFS='|' read -r program stdlib site target wheels < <("$python" -I <<'END'
import ensurepip, os, sys, sysconfig
prefix = sys.base_prefix
target = prefix if prefix == "/usr" else "/usr/local"
moved = lambda path: path.replace(prefix, target, 1) if target != prefix else path
wheels = getattr(ensurepip, "_WHEEL_PKG_DIR", None) or os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
stdlib = sysconfig.get_path("stdlib")
print(os.path.realpath(sys.executable), stdlib, moved(sysconfig.get_path("purelib")),
      os.path.dirname(moved(stdlib)), wheels, sep="|")
END
    )
    local bin=${target%/*}/bin library=$target/${stdlib##*/}
    mkdir -p "$root$bin" "$root$library" "$root$site"
    cp "$program" "$root$bin/python$minor"
    ln -s "python$minor" "$root$bin/python3"
    ln -s python3 "$root$bin/python"

    # Compiled files come along as they are (pip is a good deal faster with them) but not the optimised variants.
    tar -C "$stdlib" -cf - --anchored --exclude=./test --exclude=./idlelib --exclude=./turtledemo --exclude=./tkinter \
        --exclude=./site-packages --exclude=./EXTERNALLY-MANAGED --exclude='./lib-dynload/_tkinter*' \
        --exclude='./lib-dynload/*test*' --no-anchored --exclude=tests --exclude='*.opt-?.pyc' --exclude='*.a' . |
        tar -C "$root$library" -xf - --no-same-owner

    for wheel in "$wheels"/{pip,setuptools}-*.whl; do
        [[ ! -e $wheel ]] || "$python" -I -m zipfile -e "$wheel" "$root$site"
    done
    write_pip_program "$root/usr/local/bin/pip" "$bin/python$minor"
    ln -s pip "$root/usr/local/bin/pip3"
    ln -s pip "$root/usr/local/bin/pip$minor"
    # Compiling is only for speed and may fail: pip vendors files that not every Python can compile.
    "$python" -I -m compileall -q -d "$site" "$root$site" &>/dev/null || true
}

write_pip_program() {
    cat >"$1" <<END
#!$2
import sys
from pip._internal.cli.main import main
sys.exit(main())
END
    chmod +x "$1"
}

# Copies every library that a program or module in the root loads, those that only a wheel asks for, and those for name
# lookup. Libraries from unusual folders go beside the C library, where the image's loader looks without being told.
copy_libraries() {
    local root=$1 beside library
    beside=$(dirname "$(ldd /bin/sh | awk '$1 == "libc.so.6" { print $3 }')")
    mkdir -p "$root$beside"
    {
        find "$root/usr" -type f \( -name '*.so' -o -name 'python3.*' \) -exec ldd {} + 2>/dev/null |
            grep -oE '/[^ ]+\.so[^ ]*' || true
        # The last five are empty since glibc 2.34, but wheels that were built before it still name them.
        printf '%s\n' "$beside"/lib{stdc++.so.6,gcc_s.so.1,nss_files.so.2,nss_dns.so.2,nss_compat.so.2,resolv.so.2} \
            "$beside"/lib{pthread.so.0,dl.so.2,rt.so.1,util.so.1,anl.so.1}
    } | sort -u | while read -r library; do
        [[ -e $library && $library != "$root"* ]] || continue
        case $library in
            /lib/* | /lib64/* | /usr/lib/*) mkdir -p "$root${library%/*}" && cp -L "$library" "$root$library" ;;
            *) cp -L "$library" "$root$beside/" ;;
        esac
    done
}
