// Builds the npm package into dist/: the core as WebAssembly, its JavaScript and its TypeScript types.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import binaryen from 'binaryen';

const TARGET = 'wasm32-unknown-unknown';
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const dist = join(here, 'dist');
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');

/** The most bytes that the module may have, compressed as servers send it. */
const LARGEST = 150_000;

/** The functions of the standard library that a panic ends in. */
const PANICS = /^(core|alloc)(\[\w+\])?::(panicking::|str::slice_error_fail|slice::.*_fail$|.*::(unwrap_failed|expect_failed|capacity_overflow|handle_error|handle_alloc_error)$)/;

/** Repeats until nothing gets smaller. The lowest 1,024 bytes are the very end of the stack: no pointer leads there. */
const SMALLER = ['-Oz', '--converge', '--gufa-optimizing', '-Oz', '--low-memory-unused'];

function run(command, ...args) {
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Keeps the paths of this machine out of the module, since panics name their source files. */
function withoutPaths() {
  const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { cwd: root, encoding: 'utf8' }).trim();
  const cargo = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  const paths = { [root]: '', [sysroot]: 'rust', [join(cargo, 'registry', 'src')]: 'crates' };
  const flags = Object.entries(paths).map(([path, name]) => `--remap-path-prefix=${path}=${name}`);
  // Cargo's own separator, so that a path may have a space.
  return { CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f') };
}

/** Builds the module, and returns the folder where core's build script wrote readings.bin and scripts.bin. */
function buildModule() {
  const build = ['build', '--package', 'flowhold-web', '--target', TARGET, '--profile', 'web'];
  const env = { ...process.env, ...withoutPaths() };
  const options = { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 28 };
  const { status, stdout } = spawnSync('cargo', [...build, '--message-format', 'json-render-diagnostics'], options);
  if (status !== 0) process.exit(1);
  const scripts = stdout.split('\n').filter((line) => line.includes('"build-script-executed"')).map((line) => JSON.parse(line));
  return scripts.find((script) => script.package_id.includes('#flowhold-core@')).out_dir;
}

function step(text) {
  console.log(`==> ${text}`);
}

function addTarget() {
  const installed = execFileSync('rustup', ['target', 'list', '--installed'], { cwd: root, encoding: 'utf8' });
  if (!installed.split('\n').includes(TARGET)) run('rustup', 'target', 'add', TARGET);
}

/** Leaves `Symbol.dispose` out of the types: naming it there would require a library that not all consumers have. */
function writeTypes(generated) {
  const types = readFileSync(generated, 'utf8').replaceAll(/^ *\[Symbol\.dispose\]\(\): void;\n/gm, '');
  writeFileSync(join(dist, 'index.d.ts'), types);
  rmSync(generated);
}

/** Makes every panic a trap: nothing here shows a panic's message, so the code that makes the message is left out. */
function trapOnPanic(module) {
  const read = binaryen.readBinary(readFileSync(module));
  const functions = Array.from({ length: read.getNumFunctions() }, (_, index) => read.getFunctionByIndex(index));
  const panics = functions.filter((one) => PANICS.test(binaryen.getFunctionInfo(one).name));
  if (panics.length < 10) throw new Error(`${panics.length} functions end after a panic: they have other names now`);
  for (const one of panics) binaryen.Function(one).body = read.unreachable();
  binaryen.setDebugInfo(true);
  writeFileSync(module, read.emitBinary());
}

function optimize(module) {
  const folder = dirname(createRequire(import.meta.url).resolve('binaryen/package.json'));
  run(process.execPath, join(folder, 'bin', 'wasm-opt'), module, ...SMALLER, '--strip-producers', '--strip-target-features', '-o', `${module}.opt`);
  renameSync(`${module}.opt`, module);
}

step('the core as WebAssembly');
addTarget();
const tables = buildModule();

step('its JavaScript and types');
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
run('cargo', 'run', '--quiet', '--release', '--package', 'flowhold-bindgen', '--', join(target, TARGET, 'web', 'flowhold_web.wasm'), dist);
for (const file of ['index.js', 'node.js', 'start.js', 'error.js', 'judge.js', 'assets.js']) copyFileSync(join(here, file), join(dist, file));
for (const file of ['readings.bin', 'scripts.bin']) copyFileSync(join(tables, file), join(dist, file));
// index.js and node.js replace the files that wasm-bindgen writes for the module itself.
rmSync(join(dist, 'flowhold.js'));
rmSync(join(dist, 'flowhold_bg.wasm.d.ts'));
writeTypes(join(dist, 'flowhold.d.ts'));
copyFileSync(join(root, 'LICENSE'), join(dist, 'LICENSE'));
copyFileSync(join(here, 'NOTICE'), join(dist, 'NOTICE'));

step('smaller');
const module = join(dist, 'flowhold_bg.wasm');
trapOnPanic(module);
optimize(module);
const bytes = readFileSync(module);
const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
console.log(`flowhold_bg.wasm: ${bytes.length} bytes, ${brotli.length} with brotli (at most ${LARGEST})`);
if (brotli.length > LARGEST) {
  console.error('the module is too large; `npm run size` says where its bytes are');
  process.exit(1);
}
