// The capability `files` in memory, for browsers: one granted directory, which is gone with the page.
import { Blob } from './blob.js';
import { Failure } from './failure.js';

export class MemoryFiles {
  #root;
  /** @type {Map<string, Uint8Array>} */
  #files = new Map();

  /** @param {string} root @param {Record<string, Uint8Array>} [files] what is there already, by path below the root */
  constructor(root, files = {}) {
    this.#root = root;
    for (const [path, bytes] of Object.entries(files)) this.#files.set(`${root}/${path}`, bytes);
  }

  open(path) {
    const bytes = this.#files.get(this.#granted(path));
    if (!bytes) throw Failure.input('missing-file', `${path}: no such file or directory`);
    return new Blob(bytes);
  }

  create(path, content) {
    const taken = this.#files.has(this.#granted(path));
    if (!taken) this.#files.set(this.#granted(path), content.bytes().slice());
    return !taken;
  }

  createAll(files) {
    return files.map(([path, content]) => this.create(path, content));
  }

  replace(path, content) {
    this.#files.set(this.#granted(path), content.bytes().slice());
  }

  entries(directory) {
    const start = `${this.#granted(directory)}/`;
    const below = [...this.#files.keys()].filter((path) => path.startsWith(start));
    return [...new Set(below.map((path) => path.slice(start.length).split('/')[0]))].sort();
  }

  /** A directory is there as soon as a file is in it. */
  createDirectory(directory) {
    this.#granted(directory);
  }

  /** The path without empty parts, if it leads nowhere else. */
  #granted(path) {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    const plain = `/${parts.join('/')}`;
    if (parts.includes('..') || !path.startsWith('/') || !`${plain}/`.startsWith(`${this.#root}/`)) {
      throw Failure.input('not-granted', `${path} was not granted`);
    }
    return plain;
  }
}

/** No directory at all. */
export class NoFiles extends MemoryFiles {
  constructor() {
    super('/nothing was granted');
  }
}
