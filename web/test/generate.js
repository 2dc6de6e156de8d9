// Generates specs: good, bad and absurd ones, as TOML and as JSON. All that they name is pinned, so that no host looks
// for a file. The same seed gives the same specs, on every machine.

/** sha256 of `x`. */
const SHA256 = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881';

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const ODD = ['"', "'", '\\', '$', '${HOME}', '`', '#', '=', '\t', '<<EOF', ' \\ ', '&&', '--from=x', 'é', '🚀', '\u2028',
  ',', '\n', '\0', '\u007f', '\u001b[31m', '漢字', 'Привет', '&amp;', '__proto__', 'x'.repeat(300), ' ', ''];

const POOLS = {
  type: ['docker', 'docker', 'docker', 'docker', 'local', 'memory', 'bytes', 'dokcer'],
  registry_url: ['acme', 'localhost:5000/acme', 'gcr.io/p', 'docker.io/a/b', 'https://gcr.io'],
  base_image: ['python:3.9', 'python', 'acme/base:latest', 'Python:3', `python@sha256:${SHA256}`],
  image_name: ['etl', 'team/etl', 'ETL'],
  image_tag: ['v1', '-v1', '2019-10-17'],
  base_url: ['unix:///x.sock', 'tcp://h:1', 'ftp://x'],
  prefect_version: ['0.6.6', 'master', '0.6.6+1.gabc', 'a b'],
  naming: ['uuid', 'flow', 'plan', 'name'],
  prefect_directory: ['/srv/flows', '/srv/', 'srv'],
  python_version: ['3.9', '3.11', 'three'],
  cloudpickle_version: ['1.2.2', 'new'],
  directory: ['/srv', '~', '~/x', './x', ''],
  local_image: [true, false],
};
const REQUIREMENTS = ['pandas>=2,<3', 'Pandas', 'b @ https://example.com/b.whl', '-e .', 'x # y', "a[b]; python_version<'3'"];
const NAMES = ['etl', 'ETL', 'Nightly Report', 'Привет мир', '漢字 flow', 'a/b', '..', 'a', '1', '__proto__', 'ﬁx &eacute;'];

class Generator {
  constructor(seed) {
    this.random = randomOf(seed);
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  pick(values) {
    return values[this.below(values.length)];
  }

  chance(p) {
    return this.random() < p;
  }

  odd() {
    return Array.from({ length: this.below(4) }, () => (this.chance(0.5) ? this.pick(ODD) : this.pick(['a', 'b c', '/x', '1']))).join('');
  }

  /** Mostly a value that the field takes. */
  value(pool) {
    if (this.chance(0.8)) return this.pick(pool);
    return this.chance(0.7) ? this.odd() : this.pick([1, true, [], {}, ['x'], -2.5, null, 9007199254740991]);
  }

  content() {
    return { size: this.below(5_000_000), sha256: SHA256 };
  }

  flow() {
    const flow = { name: this.value(NAMES), ...this.content() };
    if (this.chance(0.5)) flow.path = this.value(['etl.py', 'flows/a.pkl', 'b.py']);
    if (this.chance(0.4)) flow.format = this.value(['pickle', 'script', 'wasm']);
    if (this.chance(0.3)) flow.object = this.value(['flow', 'a.b', '1x']);
    return flow;
  }

  entry() {
    const entry = this.chance(0.5) ? this.content() : {};
    if (this.chance(0.7)) entry.path = this.value(['', 'a', 'a/b', '../x', 'é b']);
    if (this.chance(0.2)) entry.link = '../target';
    return { ...entry, mode: this.below(0o7777) };
  }

  storage() {
    const storage = {};
    for (const [key, pool] of Object.entries(POOLS)) if (this.chance(0.4)) storage[key] = this.value(pool);
    if (this.chance(0.7)) {
      storage.type = 'docker';
      delete storage.directory;
    }
    storage.python_dependencies = Array.from({ length: this.below(4) }, () => this.value(REQUIREMENTS));
    storage.env_vars = Object.fromEntries(Array.from({ length: this.below(5) },
      () => [this.chance(0.8) ? this.pick(['MODE', 'PIP_INDEX_URL', 'A', 'B', 'HTTP_PROXY']) : this.odd(), this.odd()]));
    storage.files = Object.fromEntries(Array.from({ length: this.below(3) },
      () => [this.chance(0.8) ? this.pick(['/a', '/b/c', '/it\'s']) : this.odd(),
        { destination: this.value(['/opt/x', '/opt/', '/srv/a b', 'x']), entries: Array.from({ length: this.below(4) }, () => this.entry()) }]));
    return storage;
  }

  spec() {
    if (this.chance(0.03)) return this.odd();
    const spec = { storage: this.storage(), flows: Array.from({ length: this.below(4) }, () => this.flow()) };
    if (this.chance(0.1)) spec[this.pick(['schedule', 'storag', 'flow'])] = 1;
    return this.chance(0.5) ? toml(spec) : JSON.stringify(spec);
  }
}

/** A line for each key at the top, inline tables below. JSON's strings are TOML's, but for DEL. */
function toml(spec) {
  return Object.entries(spec).map(([key, value]) => `${key} = ${inline(value)}\n`).join('');
}

function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (value === null) return '"null"';
  if (typeof value === 'object') {
    return `{ ${Object.entries(value).map(([key, item]) => `${inline(key)} = ${inline(item)}`).join(', ')} }`;
  }
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}

/** The texts of `count` specs. */
export function generate(count) {
  return Array.from({ length: count }, (_, index) => new Generator(index + 1).spec());
}
