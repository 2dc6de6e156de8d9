// Says where the bytes of the module are: by section in the shipped module, and by crate before names are stripped.
// Run `npm run build` first.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');

const SECTIONS = ['custom', 'types', 'imports', 'functions', 'tables', 'memory', 'globals', 'exports', 'start', 'elements', 'code', 'data', 'data count'];
const CODE = 10;

function compressed(bytes) {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
}

/** Reads a WebAssembly module piece by piece. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get ended() {
    return this.at >= this.bytes.length;
  }

  /** An unsigned LEB128. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** A length, and then that many bytes. */
  piece() {
    const length = this.number();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text() {
    return Buffer.from(this.piece()).toString();
  }
}

function sections(bytes) {
  const reader = new Reader(bytes);
  reader.at = 8;
  const found = [];
  while (!reader.ended) found.push({ id: reader.bytes[reader.at++], content: reader.piece() });
  return found;
}

/** The names of functions, by index. */
function names(all) {
  for (const { content } of all.filter(({ id }) => id === 0)) {
    const reader = new Reader(content);
    if (reader.text() !== 'name') continue;
    while (!reader.ended) {
      const kind = reader.bytes[reader.at++];
      const piece = new Reader(reader.piece());
      if (kind === 1) return new Map(Array.from({ length: piece.number() }, () => [piece.number(), piece.text()]));
    }
  }
  throw new Error('the module has no names');
}

function importedFunctions(all) {
  const reader = new Reader(all.find(({ id }) => id === 2).content);
  let functions = 0;
  for (let left = reader.number(); left > 0; left--) {
    reader.text();
    reader.text();
    const kind = reader.bytes[reader.at++];
    if (kind === 0) functions++;
    if (kind === 1 || kind === 3) reader.at++; // the type of a table's elements or of a global
    if (kind === 0) reader.number();
    else if (kind === 3) reader.at++; // whether it can change
    else if (reader.number() & 1) [reader.number(), reader.number()];
    else reader.number();
  }
  return functions;
}

/** A function's module in flowhold_core, or its crate. `<T as Trait>::method` belongs to the first crate named. */
function owner(name) {
  const [, crate, module] = name.match(/(?:^|[^\w:])_*([a-z]\w*)(?:\[[0-9a-f]+\])?::(\w+)?/) ?? [];
  if (!crate) return 'exports and others';
  return crate === 'flowhold_core' ? `flowhold_core::${module}` : crate;
}

function table(title, rows) {
  console.log(`\n${title}`);
  for (const [name, ...numbers] of rows) console.log(name.padEnd(34) + numbers.map((number) => String(number).padStart(9)).join(''));
}

const shipped = readFileSync(join(here, 'dist', 'flowhold_bg.wasm'));
const rows = sections(shipped).map(({ id, content }) => [SECTIONS[id] ?? `section ${id}`, content.length, compressed(content)]);
table('flowhold_bg.wasm: bytes, with brotli', [...rows, ['all', shipped.length, compressed(shipped)]]);

const folder = mkdtempSync(join(tmpdir(), 'flowhold-size-'));
const module = join(target, 'wasm32-unknown-unknown', 'web', 'flowhold_web.wasm');
execFileSync('cargo', ['run', '--quiet', '--package', 'flowhold-bindgen', '--', module, folder], { cwd: root, stdio: 'inherit' });
const named = sections(readFileSync(join(folder, 'flowhold_bg.wasm')));
rmSync(folder, { recursive: true });

const known = names(named);
const code = new Reader(named.find(({ id }) => id === CODE).content);
const owners = new Map();
let index = importedFunctions(named);
for (let left = code.number(); left > 0; left--, index++) {
  const key = owner(known.get(index) ?? '');
  const [bytes, functions] = owners.get(key) ?? [0, 0];
  owners.set(key, [bytes + code.piece().length, functions + 1]);
}
const largest = [...owners].sort(([, [a]], [, [b]]) => b - a).slice(0, 40);
table('before wasm-opt: bytes, functions', largest.map(([key, numbers]) => [key, ...numbers]));
