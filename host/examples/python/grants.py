"""The capability `files`: granted directories, and nothing else.

Invariant: every part of a component's path is opened relative to the directory before it, and never through a
symbolic link. So neither `..` nor a link leads out of a grant, not even a link that is made in the same moment.
This needs `dir_fd` (`os.supports_dir_fd`), which Linux, macOS and the BSDs have and Windows has not.
"""

import contextlib
import os
import stat
import uuid
from pathlib import PurePosixPath

from blob import of_file
from failure import Failure

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
STEP = 1 << 20


class Grants:
    """The directories that were granted to one instance of the component."""

    def __init__(self):
        self._grants = []

    def grant(self, root, write=False):
        """Grants a directory, which need not exist yet: to open and list, and with `write` also to make files in it."""
        root = there = PurePosixPath(os.path.abspath(root))
        while True:
            try:
                fd = os.open(there, os.O_RDONLY | os.O_DIRECTORY)
                break
            except FileNotFoundError:
                there = there.parent
            except OSError as error:
                raise Failure.of_path(there, error)
        self._grants.append((root, write, fd, root.relative_to(there).parts))

    def close(self):
        while self._grants:
            os.close(self._grants.pop()[2])

    def open(self, path):
        """The blob of a file."""
        with self._at(path) as (parent, name):
            return open_file(path, parent, name)

    def create(self, path, blob):
        """Whoever links first has the name; the other is told so and has overwritten nothing."""
        with self._at(path, write=True) as (parent, name):
            unfinished = write_unfinished(parent, blob)
            try:
                os.link(unfinished, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
                created = True
            except FileExistsError:
                created = False
            finally:
                os.unlink(unfinished, dir_fd=parent)
            os.fsync(parent)
            return created

    def create_all(self, files):
        return [self.create(path, blob) for path, blob in files]

    def replace(self, path, blob):
        with self._at(path, write=True) as (parent, name):
            unfinished = write_unfinished(parent, blob)
            try:
                os.replace(unfinished, name, src_dir_fd=parent, dst_dir_fd=parent)
            except OSError:
                os.unlink(unfinished, dir_fd=parent)
                raise
            os.fsync(parent)

    def entries(self, path):
        """The names in a directory, sorted; none where it does not exist."""
        try:
            with self._at(path) as (parent, name), open_directory(path, parent, name) as fd:
                # A name that is no Unicode can't be a flow's.
                return sorted(filter(is_unicode, os.listdir(fd)))
        except Failure as failure:
            if failure.code != "missing-file":
                raise
            return []

    def create_directory(self, path):
        with self._at(path, write=True, make=True) as (parent, name):
            make_directory(parent, name)
            with open_directory(path, parent, name):
                pass

    def tree(self, path):
        """A file, or a directory with everything below it: (relative path, mode, kind), where kind is a blob, None for
        a directory, or the text of a symbolic link, which is not followed."""
        with self._at(path) as (parent, name):
            refuse_link(path, parent, name)
            return list(walk(path, parent, name, ""))

    @contextlib.contextmanager
    def _at(self, path, write=False, make=False):
        """The open directory that a path's last name is in, and that name."""
        fd, parts = self._find(path, write)
        with contextlib.ExitStack() as opened:
            try:
                opened.callback(os.close, fd)
                for part in parts[:-1]:
                    if make:
                        make_directory(fd, part)
                    fd = opened.enter_context(open_directory(path, fd, part))
                yield fd, parts[-1]
            except OSError as error:
                raise Failure.of_path(path, error)

    def _find(self, path, write):
        """The grant that covers a path, as a new descriptor, and the names that lead from there to the path."""
        wanted = PurePosixPath(path)
        if ".." not in wanted.parts and "\0" not in path:
            for root, may_write, fd, missing in self._grants:
                if (may_write or not write) and wanted.is_relative_to(root):
                    return os.dup(fd), (missing + wanted.relative_to(root).parts) or (".",)
        raise Failure("input", "not-granted", f"{path} was not granted")


@contextlib.contextmanager
def open_directory(path, parent, name):
    refuse_link(path, parent, name)
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def make_directory(parent, name):
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    # Also of one that is there: whoever made it may not have come to this. What is stored in it must be found again.
    os.fsync(parent)


def refuse_link(path, parent, name):
    """For a better message than O_NOFOLLOW's, which is what keeps links out."""
    if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise Failure("input", "not-granted", f"{path} was not granted: {name} in it is a symbolic link")


def open_file(path, parent, name):
    refuse_link(path, parent, name)
    # Without O_NONBLOCK, opening a pipe waits for its writer.
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Failure("input", "file-error", f"{path}: it is no regular file")
    return of_file(path, fd)


def walk(path, parent, name, relative):
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        yield relative, mode, os.readlink(name, dir_fd=parent)
    elif not stat.S_ISDIR(status.st_mode):
        yield relative, mode, open_file(path, parent, name)
    else:
        yield relative, mode, None
        with open_directory(path, parent, name) as fd:
            for child in os.listdir(fd):
                if not is_unicode(child):
                    raise Failure("input", "file-error", f"{path}: the name {child!a} in it is not Unicode")
                yield from walk(f"{path}/{child}", fd, child, f"{relative}/{child}".lstrip("/"))


def write_unfinished(parent, blob):
    """Writes the whole file under a name that nobody looks for, and syncs it."""
    name = f".unfinished-{uuid.uuid4()}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=parent)
    try:
        with open(fd, "wb") as file:
            for offset in range(0, blob.length, STEP):
                file.write(blob.read(offset, STEP))
            file.flush()
            os.fsync(fd)
    except BaseException:
        os.unlink(name, dir_fd=parent)
        raise
    return name


def is_unicode(name):
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
