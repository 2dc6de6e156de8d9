// A host for the Flowhold component, in Node and in browsers: it supplies files, a clock and random numbers, no Docker.
import { instantiate } from './generated/flowhold.js';
import { Blob } from './blob.js';
import { Failure } from './failure.js';
import { NoFiles } from './memory_files.js';
import { find } from './sources.js';

/** The compiled component. */
export class Host {
  #modules = new Map();

  /**
   * A new instance, with memory of its own. It has no files but those of `files`: `Grants` (Node) or `MemoryFiles`.
   * `core` instantiates the core modules: WebAssembly.instantiate, unless it is said.
   */
  async session({ files = new NoFiles(), core = undefined } = {}) {
    return new Session(await instantiate((name) => this.#module(name), imports(files), core), files);
  }

  #module(name) {
    if (!this.#modules.has(name)) this.#modules.set(name, compile(new URL(`generated/${name}`, import.meta.url)));
    return this.#modules.get(name);
  }
}

async function compile(url) {
  // Node's fetch does not read files.
  if (url.protocol !== 'file:') return WebAssembly.compileStreaming(fetch(url));
  const { readFile } = await import('node:fs/promises');
  return WebAssembly.compile(await readFile(url));
}

/** jco (1.35.0) looks for imports without their version, whatever its type declarations say. */
function imports(files) {
  const of = (method) => (...given) => files[method](...given);
  return {
    'flowhold:storage/files': {
      Blob,
      open: of('open'),
      create: of('create'),
      createAll: of('createAll'),
      replace: of('replace'),
      entries: of('entries'),
      createDirectory: of('createDirectory'),
    },
    'flowhold:storage/docker': { Daemon: class Daemon {}, connect: refuseDocker },
    'flowhold:storage/clock': { now: () => BigInt(Date.now()) },
    'flowhold:storage/random': { uuid: () => crypto.randomUUID() },
  };
}

function refuseDocker() {
  throw new Failure({
    kind: 'unavailable',
    code: 'no-capability',
    message: 'this host has no docker',
    help: 'build with the flowhold binary',
  });
}

/** One instance. After a failure with the code core-stopped it answers nothing any more: take another one. */
export class Session {
  #root;
  #files;
  #stopped;

  constructor(root, files) {
    this.#root = root;
    this.#files = files;
  }

  /**
   * The plan of a spec, whose relative paths begin at `folder`. A build needs the bytes of everything in it.
   * @param {string} text @param {{ folder?: string, home?: string, python?: string, needBytes?: boolean }} [options]
   */
  plan(text, { folder, home, python, needBytes = false } = {}) {
    return new Plan(this, this.call(() => {
      const spec = new this.#root.planning.Spec(text);
      const findings = find(spec.sources(), { folder, files: this.#files, needBytes });
      return spec.plan({ python: python && { version: python }, home, folder, findings });
    }));
  }

  docker() {
    return this.#storage((Storage) => Storage.docker());
  }

  local(directory) {
    return this.#storage((Storage) => Storage.local(directory));
  }

  memory() {
    return this.#storage((Storage) => Storage.memory());
  }

  bytes() {
    return this.#storage((Storage) => Storage.bytes());
  }

  storageOf(plan) {
    return this.#storage((Storage) => Storage.fromPlan(plan.resource));
  }

  /** @param {string | Uint8Array} serialized */
  deserialize(serialized) {
    const bytes = typeof serialized === 'string' ? new TextEncoder().encode(serialized) : serialized;
    return this.#storage((Storage) => Storage.deserialize(bytes));
  }

  #storage(make) {
    return new Storage(this, this.call(() => make(this.#root.storages.Storage)));
  }

  /** Calls the component. What is no failure of its own leaves it in an unknown state, and jco would let it go on. */
  call(work) {
    if (this.#stopped) throw this.#stopped;
    try {
      return work();
    } catch (error) {
      if (error?.payload) throw new Failure(error.payload);
      const message = `the core stopped: ${error?.message ?? error}`;
      const stopped = { kind: 'unavailable', code: 'core-stopped', message, help: 'start a new session' };
      throw (this.#stopped = new Failure(stopped, { cause: error }));
    }
  }
}

/** A resource of the component. Without `dispose`, it is kept until the garbage collector comes along. */
class Resource {
  constructor(session, resource) {
    this.session = session;
    this.resource = resource;
  }

  ask(method, ...given) {
    return this.session.call(() => this.resource[method](...given));
  }

  dispose() {
    this.session.call(() => this.resource[Symbol.dispose ?? Symbol.for('dispose')]());
  }
}

/** A build plan: plain data, a function of the resolved spec alone. */
export class Plan extends Resource {
  digest() {
    return this.ask('digest');
  }

  dockerfile() {
    return this.ask('dockerfile');
  }

  /** What `flowhold preview --format json` prints. */
  toJson(since) {
    return this.ask('toJson', since);
  }

  /** The resolved spec, with nothing left open. */
  spec() {
    return this.ask('spec');
  }

  diagnostics() {
    return this.ask('diagnostics');
  }

  /** The build context as tar, in pieces, Dockerfile first. */
  archive() {
    return this.ask('archive').map(({ tag, val }) => (tag === 'bytes' ? val : val.bytes()));
  }
}

/** Where flows live: in Docker images, a directory, memory or the serialized storage itself. */
export class Storage extends Resource {
  flows() {
    return Object.fromEntries(this.ask('flows'));
  }

  contains(name) {
    return this.ask('contains', name);
  }

  /** Returns the location. @param {{ name: string, format?: 'script' | 'pickle', content: Uint8Array }} flow */
  addFlow({ name, format = 'script', content }) {
    return this.ask('addFlow', { name, format, content: new Blob(content) });
  }

  getFlow(location) {
    const { content, ...flow } = this.ask('getFlow', location);
    return { ...flow, content: content.bytes() };
  }

  build({ push = false, expect = undefined } = {}) {
    return this.ask('build', push, expect);
  }

  serialize() {
    return this.ask('serialize');
  }

  snapshot() {
    return this.ask('snapshot');
  }
}
