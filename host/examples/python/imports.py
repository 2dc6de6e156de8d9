"""The component's imports, supplied: each call of a component ends here, and nothing that it says is trusted."""

import time
import uuid

from wasmtime.component import Linker, ResourceHost, ResourceType

from blob import Blob
from failure import Failure

# How wasmtime tells the two kinds of handles apart.
BLOB, DAEMON = 1, 2

# No component makes the host hold more than this at once; it asks again for the rest.
LARGEST = 16 << 20


class Blobs:
    """Blobs that a component has handles of. A number is never used again, so that an old handle finds nothing."""

    def __init__(self):
        self._blobs = {}
        self._last = 0

    def push(self, blob):
        """A handle that its receiver owns."""
        self._last += 1
        self._blobs[self._last] = blob
        return ResourceHost.own(self._last, BLOB)

    def get(self, store, handle):
        # wasmtime wants every handle used up, also a borrowed one: exactly once, which `to_host` does.
        return self._blobs[handle.to_host(store).rep]

    def take(self, store, handle):
        """The blob of a handle that the component gave away."""
        return self._blobs.pop(handle.to_host(store).rep)

    def drop(self, _store, number):
        del self._blobs[number]

    def __len__(self):
        return len(self._blobs)


def link(engine, blobs, grants):
    """The imports of one instance."""
    linker = Linker(engine)
    with linker.root() as root:
        # It has types only, but a component that names it wants to see it.
        with root.add_instance("flowhold:storage/diagnostics@0.1.0"):
            pass
        with root.add_instance("flowhold:storage/files@0.1.0") as files:
            link_files(files, blobs, grants)
        with root.add_instance("flowhold:storage/docker@0.1.0") as docker:
            link_no_docker(docker)
        with root.add_instance("flowhold:storage/clock@0.1.0") as clock:
            clock.add_func("now", lambda _: time.time_ns() // 1_000_000)
        with root.add_instance("flowhold:storage/random@0.1.0") as random:
            random.add_func("uuid", lambda _: str(uuid.uuid4()))
    return linker


def link_files(files, blobs, grants):
    get = blobs.get
    files.add_resource("blob", ResourceType.host(BLOB), blobs.drop)
    files.add_func("[constructor]blob", lambda _, content: blobs.push(Blob(content)))
    files.add_func("[method]blob.length", lambda store, blob: get(store, blob).length)
    files.add_func("[method]blob.sha256", answering(lambda store, blob: get(store, blob).sha256()))
    files.add_func("[method]blob.read", answering(
        lambda store, blob, offset, length: get(store, blob).read(offset, min(length, LARGEST))))
    files.add_func("[method]blob.share", lambda store, blob: blobs.push(get(store, blob)))
    files.add_func("open", answering(lambda _, path: blobs.push(grants.open(path))))
    # Handles are used up before anything else can fail.
    files.add_func("create", answering(lambda store, path, blob: grants.create(path, get(store, blob))))
    files.add_func("create-all", answering(
        lambda store, files: grants.create_all([(path, get(store, blob)) for path, blob in files])))
    files.add_func("replace", answering(lambda store, path, blob: grants.replace(path, get(store, blob))))
    files.add_func("entries", answering(lambda _, directory: grants.entries(directory)))
    files.add_func("create-directory", answering(lambda _, directory: grants.create_directory(directory)))


def link_no_docker(docker):
    def refuse(*_):
        raise Failure("unavailable", "no-capability", "this host has no docker",
                      help="build with the flowhold binary")

    docker.add_resource("daemon", ResourceType.host(DAEMON), lambda *_: None)
    docker.add_func("connect", answering(refuse))
    # Without a connection, nobody calls these; without them, nothing is instantiated.
    for method in ("image", "published", "pull", "builder", "build", "push", "run", "copy-out"):
        docker.add_func(f"[method]daemon.{method}", answering(refuse))


def answering(function):
    """A failure becomes an answer. Any other exception would stop the component, and is a bug of this host."""
    def answer(*arguments):
        try:
            return function(*arguments)
        except Failure as failure:
            return failure.record()
        except OSError as error:
            return Failure.of_path(error.filename or "a file", error).record()
    return answer
