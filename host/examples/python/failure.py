"""Why an operation did not happen: an exception here, a record of the interface `diagnostics` over there."""

import errno

from wasmtime.component import Record

# What the binary says of the same errors, so that a program can tell them apart wherever they come from.
CODES = {
    errno.ENOENT: ("missing-file", "check the path; relative ones begin at the spec's folder"),
    errno.EACCES: ("permission-denied", "change its permissions, or take another path"),
    errno.EPERM: ("permission-denied", "change its permissions, or take another path"),
    errno.EROFS: ("read-only", "take a path that can be written to"),
    errno.ENOSPC: ("storage-full", "make room, and try again"),
    errno.ENOTDIR: ("not-a-directory", "a file is where a directory should be"),
    errno.EISDIR: ("is-a-directory", "a directory is where a file should be"),
}


class Failure(Exception):
    """`kind` is one of input, unavailable, retry and interrupted: it says who can do something about it."""

    def __init__(self, kind, code, message, field=None, help=None):
        super().__init__(message)
        self.kind, self.code, self.message, self.field, self.help = kind, code, message, field, help

    def __str__(self):
        return self.message + (f" ({self.help})" if self.help else "")

    @classmethod
    def of_record(cls, record):
        return cls(record.kind, record.code, record.message, record.field, record.help)

    @classmethod
    def of_path(cls, path, error):
        """What the operating system says of a path."""
        code, help = CODES.get(error.errno, ("file-error", None))
        return cls("input", code, f"{path}: {(error.strerror or str(error)).lower()}", help=help)

    def record(self):
        return make_record(kind=self.kind, code=self.code, field=self.field, message=self.message, help=self.help)


def make_record(**fields):
    """wasmtime's Record has no constructor."""
    record = Record()
    vars(record).update(fields)
    return record
