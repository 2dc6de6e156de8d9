// Generates specs: good, bad and absurd ones, as TOML and as JSON. Everything that a spec names is pinned, so that no
// host looks for a file. The same seed gives the same specs on every machine.

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

/** For each field, the values in good specs, and more that other specs may have. */
const POOLS = {
  type: [['docker'], ['local', 'memory', 'bytes', 'dokcer']],
  registry_url: [['acme', 'localhost:5000/acme', 'gcr.io/p'], ['docker.io/a/b', 'https://gcr.io']],
  base_image: [['python:3.9', 'python', 'acme/base:latest', `python@sha256:${SHA256}`], ['Python:3']],
  image_name: [['etl', 'nightly.report'], ['team/etl', 'ETL']],
  image_tag: [['v1', '2019-10-17'], ['-v1']],
  base_url: [['unix:///x.sock', 'tcp://h:1'], ['ftp://x']],
  prefect_version: [['0.6.6', 'master', '0.6.6+1.gabc'], ['a b']],
  naming: [['uuid', 'plan'], ['flow', 'name']],
  prefect_directory: [['/srv/flows', '/srv/'], ['srv']],
  python_version: [['3.9', '3.11'], ['three']],
  cloudpickle_version: [['1.2.2'], ['new']],
  local_image: [[true, false], []],
};
const DIRECTORY = [['/srv', '~', '~/x', './x'], ['']];
const REQUIREMENT = [['pandas>=2,<3', 'Pandas', 'b @ https://example.com/b.whl', "a[b]; python_version<'3'"], ['-e .', 'x # y']];
const NAME = [['etl', 'ETL 2', 'Nightly Report', 'Привет мир', 'x 漢字', '1', '__proto__', 'ﬁx &eacute;'], ['etl', 'a/b', '..']];
const PATH = [['etl.py', 'flows/a.pkl', 'b.py'], []];
const VARIABLE = [['MODE', 'PIP_INDEX_URL', 'A', 'HTTP_PROXY'], ['1A', 'a b']];
const SOURCE = [['/a', '/b/c', "/it's"], ['x', './y']];
const DESTINATION = [['/opt/x', '/opt/', '/srv/a b'], ['x']];

class Generator {
  constructor(seed) {
    this.random = randomOf(seed);
    /** Half of the specs have only values that their fields take: most of those get a plan. */
    this.good = this.chance(0.5);
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
  value([good, bad]) {
    if (this.good || this.chance(0.6)) return this.pick(good);
    if (bad.length > 0 && this.chance(0.6)) return this.pick(bad);
    return this.chance(0.7) ? this.odd() : this.pick([1, true, [], {}, ['x'], -2.5, null, 9007199254740991]);
  }

  list(most, make) {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  content() {
    return { size: this.below(5_000_000), sha256: SHA256 };
  }

  flow() {
    const flow = { name: this.value(NAME), ...this.content() };
    if (this.chance(0.5)) flow.path = this.value(PATH);
    if (this.chance(0.4)) flow.format = this.value([['pickle'], ['script', 'wasm']]);
    if (!this.good && this.chance(0.3)) flow.object = this.value([['flow', 'a.b'], ['1x']]);
    return flow;
  }

  entry() {
    const path = this.value([['', 'a', 'a/b', 'é b'], ['../x']]);
    const kind = this.pick([this.content(), {}, { link: '../target' }]);
    return { path, ...(path === '' && this.good ? {} : kind), mode: this.below(0o7777) };
  }

  file() {
    if (this.good) return { destination: this.value(DESTINATION), entries: [{ path: '', mode: 420, ...this.content() }] };
    return { destination: this.value(DESTINATION), entries: this.list(3, () => this.entry()) };
  }

  storage() {
    const storage = {};
    for (const [key, pool] of Object.entries(POOLS)) if (this.chance(0.4)) storage[key] = this.value(pool);
    if (this.good || this.chance(0.7)) storage.type = 'docker';
    else if (this.chance(0.5)) storage.directory = this.value(DIRECTORY);
    storage.python_dependencies = this.list(3, () => this.value(REQUIREMENT));
    storage.env_vars = Object.fromEntries(this.list(4, () => [this.value(VARIABLE), this.good ? this.text() : this.odd()]));
    storage.files = Object.fromEntries(this.list(2, () => [this.value(SOURCE), this.file()]));
    return storage;
  }

  /** Text that an environment variable can have. */
  text() {
    return this.odd().replaceAll(/[\n\0\u001b\u007f]/g, '');
  }

  spec() {
    if (this.chance(0.03)) return this.odd();
    const spec = { storage: this.storage(), flows: this.list(3, () => this.flow()) };
    if (!this.good && this.chance(0.1)) spec[this.pick(['schedule', 'storag', 'flow'])] = 1;
    return this.chance(0.5) ? toml(spec) : JSON.stringify(spec);
  }
}

/** One line for each key at the top, and inline tables below. JSON's strings are valid in TOML, except for DEL. */
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
