// The bytes of a file, which must stay as it was when it was opened.
import { createHash } from 'node:crypto';
import { constants, closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { Failure } from './failure.js';

// Smaller files are read at once, since a spec may name more of them than a process may have open.
const SMALL = 1 << 20;
const STEP = 1 << 18;

// Nothing says when the last handle of a source is gone.
const forgotten = new FinalizationRegistry(closeSync);

/** Opens a regular file, as the source of a blob. */
export function openSource(path, real) {
  // Windows has neither flag. Without O_NONBLOCK, opening a pipe waits for its writer.
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const fd = openSync(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  let kept = false;
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw Failure.input('file-error', `${path}: it is no regular file`);
    if (status.size <= SMALL) return new Uint8Array(readFileSync(fd));
    kept = true;
    return new FileSource(path, fd, status);
  } finally {
    if (!kept) closeSync(fd);
  }
}

class FileSource {
  #sha256;

  constructor(path, fd, status) {
    this.path = path;
    this.fd = fd;
    this.length = status.size;
    this.modified = status.mtimeMs;
    forgotten.register(this, fd);
  }

  read(offset, length) {
    const status = fstatSync(this.fd);
    if (status.size !== this.length || status.mtimeMs !== this.modified) {
      throw Failure.input('file-error', `${this.path} has changed since it was opened`);
    }
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    let filled = 0;
    while (filled < bytes.length) {
      const more = readSync(this.fd, bytes, filled, bytes.length - filled, offset + filled);
      if (more === 0) throw Failure.input('file-error', `${this.path} has changed since it was opened`);
      filled += more;
    }
    return bytes;
  }

  sha256() {
    if (!this.#sha256) {
      const hash = createHash('sha256');
      for (let offset = 0; offset < this.length; offset += STEP) hash.update(this.read(offset, STEP));
      this.#sha256 = new Uint8Array(hash.digest());
    }
    return this.#sha256;
  }
}
