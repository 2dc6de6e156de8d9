"""Flowhold's installer: the step of an image build that installs the requirements.

    python install.py REQUIREMENTS.txt [uv | pip]

uv resolves and unpacks several times faster than pip. It comes from the same package index as the requirements,
and does not stay in the image. Unless one of both is asked for, pip takes over where uv has no build for the
platform or the Python, where pip has settings that uv does not know, and where a requirement is in a repository of
Mercurial, Subversion or Bazaar.

Where the builder mounts a cache at CACHE, downloads are kept there for other builds, and neither cache nor installer
is in a layer. Secrets are files in SECRETS while this step runs: one with the name of an environment variable
(PIP_INDEX_URL) is set as that variable, one with the name netrc is used as such.

Runs on CPython 3.6 and newer, with the standard library only.
"""
import csv
import hashlib
import io
import json
import math
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.parse
import urllib.request
import zipfile

# Both are in memory, and so in no layer, not even as empty directories.
CACHE = "/dev/shm/flowhold"
SECRETS = "/dev/shm/flowhold-secrets"

# Exit codes that say whether trying again may help.
UNAVAILABLE, TRY_AGAIN = 69, 75

# What pip calls its settings, and what uv calls them.
SETTINGS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CONSTRAINT": "UV_CONSTRAINT",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}

# Where systems have them: Debian and Alpine, Red Hat, SUSE. uv trusts its own ones unless it is told of others.
SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
)

# The first uv that knows all variables it is given here.
OLDEST = (0, 4, 23)

# What says where uv finds packages.
INDEXES = {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX", "UV_CONFIG_FILE"}

# The public index says so of its own answers. Most mirrors say nothing, and would be asked about each package, and for
# each source distribution, in every build again.
INDEX = """[[index]]
url = %s
default = %s
cache-control = { api = "max-age=600", files = "max-age=365000000, immutable" }
"""

# Settings of pip that uv needs no word for.
NEEDLESS = {
    "PIP_BREAK_SYSTEM_PACKAGES",
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_NO_CACHE_DIR",
    "PIP_NO_COLOR",
    "PIP_NO_INPUT",
    "PIP_PROGRESS_BAR",
    "PIP_QUIET",
    "PIP_RETRIES",
    "PIP_ROOT_USER_ACTION",
    "PIP_VERSION",
}

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def main(arguments):
    requirements = arguments[1]
    wanted = arguments[2] if len(arguments) > 2 else None
    use_secrets()
    kept = cache()
    if kept:
        remove_leftovers(kept)
    with tempfile.TemporaryDirectory(prefix="flowhold-", dir=kept) as scratch:
        reason = None if wanted == "pip" else foreign(requirements) or why_not_uv()
        if wanted == "uv" and reason:
            say("uv is asked for, though " + reason)
            reason = None
        program = None
        if wanted != "pip" and not reason:
            program = find_uv(kept, scratch)
            reason = None if program else "uv is not to be had for this Python and platform"
        if program:
            before = distributions()
            code = with_uv(program, requirements, kept, scratch)
            if code == 0:
                try:
                    compile_bytecode(distributions() - before, scratch)
                except (OSError, ValueError, csv.Error) as error:
                    say("not all modules are compiled to bytecode, so that starts will take longer: %s" % error)
            return code
        if wanted == "uv":
            say('uv is not to be had for this Python and platform; installer = "pip" in [storage] does without')
            return 1
        if reason:
            say("pip installs, because " + reason)
        return with_pip(requirements, kept)


def cache():
    """In what the builder keeps, a folder for this user, and for what is built on systems like this one; None where it
    keeps nothing."""
    if not os.access(CACHE, os.W_OK | os.X_OK):
        return None
    try:
        with open("/etc/os-release", "rb") as file:
            release = file.read()
    except OSError:
        release = b""
    system = hashlib.sha256(("%r %r %r" % (release, libc(), os.uname().machine)).encode("ascii")).hexdigest()[:16]
    kept = os.path.join(CACHE, "%d-%s" % (os.getuid(), system))
    os.makedirs(kept, exist_ok=True)
    return kept


def libc():
    """glibc and its version; None where it is another, such as musl."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return None


def remove_leftovers(kept):
    """What builds that were killed have left in the cache: a day is longer than any takes."""
    for name in os.listdir(kept):
        path = os.path.join(kept, name)
        try:
            if name.startswith("flowhold-") and os.stat(path).st_mtime < time.time() - 24 * 3600:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            # Another build was faster.
            pass


def use_secrets():
    if not os.path.isdir(SECRETS):
        return
    for name in os.listdir(SECRETS):
        path = os.path.join(SECRETS, name)
        if name == "netrc":
            os.environ["NETRC"] = path
        elif re.match("^[A-Z_][A-Z0-9_]*$", name):
            with open(path, encoding="utf-8") as file:
                os.environ[name] = file.read().rstrip("\r\n")


def foreign(requirements):
    """Why uv does not understand them."""
    with open(requirements, encoding="utf-8") as file:
        system = re.search(r"^[^@;]*@\s*(bzr|hg|svn)\+", file.read(), re.IGNORECASE | re.MULTILINE)
    return "uv installs nothing from " + system.group(1).lower() if system else None


def why_not_uv():
    if sys.version_info < (3, 8):
        return "uv has no build for Python %d.%d" % sys.version_info[:2]
    for name in sorted(os.environ):
        if name.startswith("PIP_") and name not in SETTINGS and name not in NEEDLESS:
            return "uv does not know the setting " + name
    files = ["/etc/pip.conf", os.path.join(sys.prefix, "pip.conf"), os.path.expanduser("~/.pip/pip.conf")]
    for path in files + [os.path.join(folder, "pip", "pip.conf") for folder in configuration_folders()]:
        if os.path.exists(path):
            return "uv does not read " + path
    packages = sysconfig.get_paths()["purelib"]
    if not os.access(packages, os.W_OK):
        return packages + " can't be written to, and pip knows another place"
    return None


def configuration_folders():
    folders = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    return folders + [os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")]


def find_uv(kept, scratch):
    """The program: the image's own, the cache's, or a new one out of the package index."""
    own = shutil.which("uv")
    if own and version_of(own) >= OLDEST:
        return own
    platform = "%s-%s" % (sysconfig.get_platform(), sysconfig.get_config_var("SOABI"))
    tool = os.path.join(kept or scratch, "uv-for-" + platform)
    program = os.path.join(tool, "bin", "uv")
    if version_of(program):
        return program
    shutil.rmtree(tool, ignore_errors=True)
    fresh = os.path.join(scratch, "fresh")
    try:
        download_uv(os.path.join(fresh, "bin"))
    except Exception:
        # Whatever it was, pip may do better, and has the better words for it.
        shutil.rmtree(fresh, ignore_errors=True)
        if not pip_installs_uv(fresh, kept):
            return None
    try:
        os.rename(fresh, tool)
    except OSError:
        # Another build was faster.
        pass
    program = program if os.path.exists(program) else os.path.join(fresh, "bin", "uv")
    return program if version_of(program) else None


def version_of(program):
    """An uv's; an empty one if it can't be executed."""
    try:
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except OSError:
        return ()
    found = re.match(br"uv (\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def download_uv(folder):
    """The newest uv for this Python and platform. pip needs seconds to look at the thousands of files that uv has."""
    if why_not_uv() or any(name in os.environ for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")):
        raise ValueError("pip knows where packages are")
    from pip._vendor import certifi
    from pip._vendor.packaging.tags import sys_tags

    trusted = ssl.create_default_context(cafile=certificates() or certifi.where())

    def get(url, accept):
        if not url.startswith("https://"):
            raise ValueError("pip knows which of these to trust")
        return urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), None, 15, context=trusted)

    with get(index_url().rstrip("/") + "/uv/", "application/vnd.pypi.simple.v1+json") as page:
        address, files = page.geturl(), json.load(page)["files"]
    fitting = {str(tag) for tag in sys_tags()}
    found = []
    for file in files:
        wheel = re.match(r"uv-([0-9.]+)-(py3-none)-([^-]+)\.whl$", file["filename"])
        if wheel and not file.get("yanked") and any(wheel[2] + "-" + name in fitting for name in wheel[3].split(".")):
            found.append(([int(part) for part in wheel[1].split(".")], wheel[1], file))
    _, version, file = max(found, key=lambda one: one[0])
    with get(urllib.parse.urljoin(address, file["url"]), "*/*") as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != file["hashes"]["sha256"]:
        raise ValueError("this is another file")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program = archive.read("uv-%s.data/scripts/uv" % version)
    os.makedirs(folder)
    with open(os.path.join(folder, "uv"), "wb", opener=lambda path, flags: os.open(path, flags, 0o755)) as to:
        to.write(program)


def pip_installs_uv(fresh, kept):
    command = PIP + ["--quiet", "install", "--no-compile", "--only-binary=:all:", "--no-deps", "--target", fresh, "uv"]
    done = subprocess.run(command + pip_cache(kept), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        say(done.stdout.decode("utf-8", "replace").strip())
    return done.returncode == 0


def with_uv(program, requirements, kept, scratch):
    environment = dict(
        os.environ,
        UV_LINK_MODE="copy",
        UV_NO_PROGRESS="1",
        UV_PYTHON_DOWNLOADS="never",
        PYTHONHASHSEED="0",
        TMPDIR=scratch,
    )
    # It is done afterwards, in another way.
    environment.pop("UV_COMPILE_BYTECODE", None)
    environment.update((name, value) for name, value in translated() if name not in os.environ)
    trusted = certificates() or os.environ.get("SSL_CERT_FILE")
    trusted = trusted or next(filter(os.path.exists, SYSTEM_CERTIFICATES), None)
    if trusted:
        environment["SSL_CERT_FILE"] = trusted
    configured = has_configuration()
    if not configured:
        environment["UV_NO_CONFIG"] = "1"
    if os.environ.get("PIP_EXTRA_INDEX_URL") and os.environ.keys().isdisjoint({"UV_INDEX", "UV_INDEX_STRATEGY"}):
        say("of a package that PIP_EXTRA_INDEX_URL has, no other index is asked for a newer version")
    install = [program, "pip", "install", "--python", sys.executable, "--break-system-packages"]
    install += ["--cache-dir", os.path.join(kept, "uv")] if kept else ["--no-cache"]
    install += ["-r", requirements]
    used = bool(kept) and os.path.isdir(os.path.join(kept, "uv"))
    # An uv of the image's own may be too old for these.
    indexes = None if configured or program == shutil.which("uv") else index_settings()
    with tempfile.NamedTemporaryFile("w", dir=in_memory(), suffix=".toml") as settings:
        first, where = install, environment
        if indexes:
            settings.write(indexes)
            settings.flush()
            first = install + ["--config-file", settings.name]
            where = {name: value for name, value in environment.items() if name not in INDEXES}
        code, reason = call_uv(first, where)
    if code != 0 and used and not unavailable(reason):
        # Not with those settings: uv (0.13) heeds them more than this option.
        print("the packages may be newer than what earlier builds were told; asking again", flush=True)
        code, reason = call_uv(install + ["--refresh"], environment)
    if code == 0:
        return 0
    say(": ".join(["the requirements could not be installed"] + reason[:1] + reason[1:][-1:]))
    return unavailable(reason) or code


def call_uv(command, environment):
    """Its exit code, and its error: a headline, and what caused it, from the outermost to the innermost."""
    reason = []
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as running:
        for line in running.stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
            line = line.decode("utf-8", "replace").rstrip()
            told = re.match(r" *(error|cause|Caused by): (.*)", line)
            if told and told.group(1) == "error":
                reason = [told.group(2)]
            elif told:
                reason.append(told.group(2))
            elif reason and line.startswith("    "):
                reason[-1] += " " + line.strip()
    return running.returncode, reason


def unavailable(reason):
    """What the exit code is of an error that is the index's, by sysexits.h; None of any other."""
    causes = "\n".join(reason).lower()
    if re.search(r"tcp connect error|dns error|\(connect\)", causes):
        return UNAVAILABLE
    if re.search(r"error sending request|timed out|\((429|5\d\d) [a-z]", causes):
        return TRY_AGAIN
    return None


def translated():
    """pip's settings, as uv reads them."""
    for pips, uvs in SETTINGS.items():
        value = os.environ.get(pips)
        if pips == "PIP_FIND_LINKS" and value:
            places = map(os.path.expanduser, value.split())
            value = ",".join(place for place in places if "://" in place or os.path.exists(place))
        elif pips == "PIP_DEFAULT_TIMEOUT" and value:
            value = str(math.ceil(float(value)))
        if value:
            yield uvs, value


def certificates():
    """The file of those that pip is told to trust."""
    names = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def has_configuration():
    """Whether the system or the user has one for uv."""
    files = ["/etc/uv/uv.toml"] + [os.path.join(folder, "uv", "uv.toml") for folder in configuration_folders()]
    return any(map(os.path.exists, files))


def distributions():
    """What describes each installed package, and since when it does."""
    found = set()
    for folder in {os.path.realpath(folder) for folder in sys.path}:
        try:
            entries = [entry for entry in os.scandir(folder) if entry.name.endswith(".dist-info")]
            found.update((entry.path, entry.stat(follow_symlinks=False).st_ctime_ns) for entry in entries)
        except OSError:
            # A zip file, or what may not be listed: nothing is installed there.
            pass
    return found


def compile_bytecode(installed, scratch):
    """Compiles what was installed but for tests, which are many, and which few programs import: these compile them then.
    uv would compile them too, and what was in the image before, and takes twice as long."""
    modules = []
    for description, _ in sorted(installed):
        with open(os.path.join(description, "RECORD"), encoding="utf-8", newline="") as record:
            names = [row[0] for row in csv.reader(record) if row]
        names = [name for name in names if name.endswith(".py") and not re.search(r"(^|/)(\.\.|tests?)/", name)]
        modules += [os.path.join(os.path.dirname(description), name) for name in names]
    # Bytecode that tells the time of its module: who copies another module in its place has that one run.
    command = [sys.executable, "-W", "ignore", "-m", "compileall", "-qq", "-f"]
    command += ["--invalidation-mode", "timestamp", "-i"]
    # Starting one takes as long as compiling some modules.
    processes = min(len(os.sched_getaffinity(0)), 8, (len(modules) + 24) // 25)
    compilers = []
    for number in range(processes):
        names = os.path.join(scratch, "modules-%d" % number)
        with open(names, "w", encoding="utf-8") as file:
            file.writelines(module + "\n" for module in modules[number::processes])
        # Not in a directory with modules, which it would take for its own.
        compilers.append(subprocess.Popen(command + [names], cwd="/", env=dict(os.environ, PYTHONHASHSEED="0")))
    # With 1 it tells of a module that is not valid Python, which is an error where that is imported.
    if not all([compiler.wait() in (0, 1) for compiler in compilers]):
        raise OSError("a compiler was ended")
    say("compiled %d modules to bytecode" % len(modules))


def index_settings():
    """What tells uv where the packages are; None where variables of its own do."""
    if not INDEXES.isdisjoint(os.environ):
        return None
    try:
        urls = os.environ.get("PIP_EXTRA_INDEX_URL", "").split() + [index_url()]
    except ImportError:
        return None
    # JSON escapes strings as TOML does.
    return "".join(INDEX % (json.dumps(url, ensure_ascii=False), json.dumps(url is urls[-1])) for url in urls)


def index_url():
    """Where pip finds packages; what it does without a setting, it has no other way to say."""
    from pip._internal.models.index import PyPI

    return os.environ.get("PIP_INDEX_URL", "").strip() or PyPI.simple_url


def in_memory():
    """Where files with passwords get into no layer and no cache, if there is such a place."""
    folder = os.path.dirname(CACHE)
    return folder if os.path.isdir(folder) else None


def with_pip(requirements, kept):
    command = PIP + ["install"] + pip_cache(kept) + ["-r", requirements]
    # The image is ours alone: there is no other package manager that could be in the way.
    return subprocess.call(command, env=dict(os.environ, PIP_BREAK_SYSTEM_PACKAGES="1", PYTHONHASHSEED="0"))


def pip_cache(kept):
    return ["--cache-dir", os.path.join(kept, "pip")] if kept else ["--no-cache-dir"]


def say(text):
    print("flowhold: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
