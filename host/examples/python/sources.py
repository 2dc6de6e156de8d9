"""What a spec names, looked at: for each source that the component tells, a finding."""

import os

from wasmtime.component import Variant

from failure import Failure, make_record


def find(sources, folder, grants, push, need_bytes):
    """One finding for each source, in that order. `push` makes handles of blobs."""
    return [finding(source, folder, grants, push, need_bytes) for source in sources]


def finding(source, folder, grants, push, need_bytes):
    if source.pinned and not need_bytes:
        return Variant("skipped")
    try:
        if source.origin.tag == "flow":
            path = os.path.join(folder, source.origin.payload)
            return Variant("flow", (None, push(grants.open(path))))
        if source.origin.tag == "file":
            return Variant("file", [entry(push, *found) for found in grants.tree(source.origin.payload)])
    except Failure as failure:
        return Variant("failed", failure.record())
    # An object that is to be pickled: this host runs nobody's Python.
    return Variant("unseen")


def entry(push, path, mode, kind):
    return make_record(path=path, mode=mode, kind=kind if kind is None or isinstance(kind, str) else push(kind))
