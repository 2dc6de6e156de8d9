// The capability `files` in Node: granted directories, and nothing else.
//
// Invariant: a path is followed only if none of its parts below the grant is `..` or a symbolic link. Node has no
// openat: whoever else may write in a granted directory could put a link there between the check and the use. Where
// that is not only yourself, run the native host.
import { constants, closeSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync, readlinkSync,
  realpathSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { Blob } from './blob.js';
import { Failure } from './failure.js';
import { openSource } from './file_source.js';

const STEP = 1 << 20;
const CODES = {
  ENOENT: ['missing-file', "check the path; relative ones begin at the spec's folder"],
  EACCES: ['permission-denied', 'change its permissions, or take another path'],
  EPERM: ['permission-denied', 'change its permissions, or take another path'],
  EROFS: ['read-only', 'take a path that can be written to'],
  ENOSPC: ['storage-full', 'make room, and try again'],
  ENOTDIR: ['not-a-directory', 'a file is where a directory should be'],
  EISDIR: ['is-a-directory', 'a directory is where a file should be'],
};

export class Grants {
  #grants = [];

  /** Grants a directory, which need not exist yet: to open and list, and with `write` also to make files in it. */
  grant(root, { write = false } = {}) {
    root = resolve(root);
    this.#grants.push({ root, write, real: realpath(root) });
    return this;
  }

  /** A file's blob. */
  open(path) {
    return answer(path, () => new Blob(openSource(path, this.#checked(path))));
  }

  /** Whoever links first has the name; the other is told so and has overwritten nothing. */
  create(path, content) {
    return answer(path, () => {
      const file = this.#checked(path, true);
      const unfinished = writeUnfinished(file, content);
      try {
        linkSync(unfinished, file);
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
        return false;
      } finally {
        unlinkSync(unfinished);
      }
      sync(dirname(file));
      return true;
    });
  }

  createAll(files) {
    return files.map(([path, content]) => this.create(path, content));
  }

  replace(path, content) {
    answer(path, () => {
      const file = this.#checked(path, true);
      const unfinished = writeUnfinished(file, content);
      try {
        renameSync(unfinished, file);
      } catch (error) {
        unlinkSync(unfinished);
        throw error;
      }
      sync(dirname(file));
    });
  }

  /** The names in a directory, sorted by their bytes; none where it does not exist. */
  entries(directory) {
    return answer(directory, () => {
      const names = readdirSync(this.#checked(directory), { encoding: 'buffer' }).sort(Buffer.compare);
      // A name that is no Unicode can't be a flow's.
      return names.map(String).filter((name, index) => Buffer.from(name).equals(names[index]));
    }, []);
  }

  createDirectory(directory) {
    answer(directory, () => {
      const { root, real } = this.#find(directory, true);
      let made = real;
      mkdirSync(made, { recursive: true });
      for (const part of relative(root, resolve(directory)).split(sep)) {
        made = join(made, part);
        mkdirSync(made, { recursive: true });
        refuseLink(directory, made);
        sync(dirname(made));
      }
    });
  }

  /** A file, or a directory with everything below it; links are kept as links. */
  tree(path) {
    return answer(path, () => {
      const checked = this.#checked(path);
      refuseLink(path, checked);
      return [...walk(path, checked, '')];
    });
  }

  #find(path, write) {
    const plain = isAbsolute(path) && !path.includes('\0') && !path.split(/[\\/]/).includes('..');
    const covers = (grant) => (grant.write || !write) && isBelow(grant.root, resolve(path));
    const grant = plain && this.#grants.find(covers);
    if (!grant) throw Failure.input('not-granted', `${path} was not granted`);
    return grant;
  }

  /** Where a path really is, if no link leads there. */
  #checked(path, write = false) {
    const { root, real } = this.#find(path, write);
    const within = relative(root, resolve(path));
    if (within === '') return real;
    const parent = join(real, dirname(within));
    if (realpathSync(parent) !== parent) {
      throw Failure.input('not-granted', `${path} was not granted: it leads through a link`);
    }
    refuseLink(path, join(real, within), true);
    return join(real, within);
  }
}

/** Also where they are the same. On Windows, what is on another drive is absolute. */
function isBelow(root, path) {
  const within = relative(root, path);
  return !isAbsolute(within) && within.split(sep)[0] !== '..';
}

function refuseLink(path, real, mayBeMissing = false) {
  if (lstatSync(real, { throwIfNoEntry: !mayBeMissing })?.isSymbolicLink()) {
    throw Failure.input('not-granted', `${path} was not granted: it is a link`);
  }
}

/** Where a directory really is, which may be missing. */
function realpath(directory) {
  try {
    return realpathSync(directory);
  } catch (error) {
    if (error.code !== 'ENOENT') throw ofPath(directory, error);
    return join(realpath(dirname(directory)), basename(directory));
  }
}

function* walk(path, real, within) {
  const status = lstatSync(real);
  const entry = { path: within, mode: status.mode & 0o7777 };
  if (status.isSymbolicLink()) {
    yield { ...entry, kind: { tag: 'symlink', val: readlinkSync(real) } };
  } else if (!status.isDirectory()) {
    yield { ...entry, kind: { tag: 'file', val: new Blob(openSource(path, real)) } };
  } else {
    yield { ...entry, kind: { tag: 'directory' } };
    for (const name of readdirSync(real)) {
      if (name.includes('\ufffd')) throw Failure.input('file-error', `${path}: the name "${name}" in it is not Unicode`);
      yield* walk(`${path}/${name}`, join(real, name), within === '' ? name : `${within}/${name}`);
    }
  }
}

/** Writes the whole file under a name that nobody looks for, and syncs it. */
function writeUnfinished(file, content) {
  const unfinished = join(dirname(file), `.unfinished-${crypto.randomUUID()}`);
  const fd = openSync(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666);
  try {
    for (let offset = 0; offset < content.source.length; offset += STEP) {
      const piece = content.source.read(offset, STEP);
      for (let written = 0; written < piece.length; ) written += writeSync(fd, piece, written);
    }
    fsyncSync(fd);
  } catch (error) {
    unlinkSync(unfinished);
    throw error;
  } finally {
    closeSync(fd);
  }
  return unfinished;
}

/** After this, the directory's entry survives a power loss too. */
function sync(directory) {
  const fd = openSync(directory, constants.O_RDONLY);
  fsyncSync(fd);
  closeSync(fd);
}

/** What the operating system refuses becomes a failure; what is missing becomes `missing`, where that is an answer. */
function answer(path, work, ...missing) {
  try {
    return work();
  } catch (error) {
    if (error.code === 'ENOENT' && missing.length) return missing[0];
    throw ofPath(path, error);
  }
}

function ofPath(path, error) {
  const words = error instanceof Failure ? undefined : getSystemErrorMap().get(error.errno)?.[1];
  if (words === undefined) return error;
  const [code, help] = CODES[error.code] ?? ['file-error', undefined];
  return Failure.input(code, `${path}: ${words}`, help);
}
