"""Bytes of the host that the component only has a handle of."""

import hashlib
import os

from failure import Failure

# Smaller files are read at once, since a spec may name more of them than a process may have open.
SMALL = 1 << 20
STEP = 1 << 18


class Blob:
    """Immutable bytes in memory."""

    def __init__(self, content):
        self.content = content
        self.length = len(content)

    def read(self, offset, length):
        return self.content[offset:offset + length]

    def sha256(self):
        digest = hashlib.sha256()
        for offset in range(0, self.length, STEP):
            digest.update(self.read(offset, STEP))
        return digest.digest()

    def bytes(self):
        return self.read(0, self.length)


class FileBlob(Blob):
    """A file that must stay as it was when it was opened."""

    def __init__(self, path, fd):
        self.path, self.fd = path, fd
        self.stamp = self._stamp()
        self.length = self.stamp[0]

    def _stamp(self):
        status = os.fstat(self.fd)
        return status.st_size, status.st_mtime_ns

    def read(self, offset, length):
        if self._stamp() != self.stamp:
            raise Failure("input", "file-error", f"{self.path} has changed since it was opened")
        return os.pread(self.fd, length, offset)

    def bytes(self):
        return b"".join(self.read(offset, STEP) for offset in range(0, self.length, STEP))

    def __del__(self):
        os.close(self.fd)


def of_file(path, fd):
    """The blob of an open file, which it takes over."""
    blob = FileBlob(path, fd)
    return Blob(blob.bytes()) if blob.length <= SMALL else blob
