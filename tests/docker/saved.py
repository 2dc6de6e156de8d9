"""Prints all that an image of `docker save` has, the content of its layers unpacked, and of what is packed in them."""
import gzip
import io
import json
import sys
import tarfile
import zipfile


def unpacked(content):
    if content.startswith(b"\x1f\x8b"):
        return [gzip.decompress(content)]
    if content.startswith(b"PK") and zipfile.is_zipfile(io.BytesIO(content)):
        archive = zipfile.ZipFile(io.BytesIO(content))
        return [archive.read(name) for name in archive.namelist()]
    return []


saved = sys.stdin.buffer.read()
image = tarfile.open(fileobj=io.BytesIO(saved))
[manifest] = json.load(image.extractfile("manifest.json"))
assert len(manifest["Layers"]) > 2, manifest
sys.stdout.buffer.write(saved)
for layer in manifest["Layers"]:
    # A layer is compressed, or not: that is the daemon's choice.
    with tarfile.open(fileobj=image.extractfile(layer)) as files:
        for file in files:
            sys.stdout.buffer.write(file.name.encode() + b"\n")
            if file.isfile():
                content = files.extractfile(file).read()
                sys.stdout.buffer.writelines([content, *unpacked(content)])
