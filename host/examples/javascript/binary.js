// For tests: the binary that they compare with, FLOWHOLD_BIN, and folders to run it in.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = process.env.FLOWHOLD_BIN;
if (!BINARY || !existsSync(BINARY)) {
  const make = '`cargo build --release` makes target/release/flowhold';
  throw new Error(`FLOWHOLD_BIN must be the path of the binary (${make}); it is ${BINARY}`);
}

/** A folder that is gone after the test. */
export function folder(test) {
  const made = realpathSync(mkdtempSync(join(tmpdir(), 'flowhold-')));
  test.after(() => rmSync(made, { recursive: true }));
  return made;
}

const settings = (cwd, input) => ({ cwd, input, env: { ...process.env, HOME: cwd }, timeout: 60_000, maxBuffer: 1 << 28 });

/** What the binary prints. The folder is its home, too. @returns {Buffer} */
export function flowhold(cwd, args, input = '') {
  return execFileSync(BINARY, args, settings(cwd, input));
}

/** The preview of a spec, which may have errors. */
export function preview(cwd, text, ...args) {
  const done = spawnSync(BINARY, ['preview', '--format', 'json', '-f', '-', ...args], settings(cwd, text));
  return JSON.parse(String(done.stdout));
}

/** The specs of tests/specs, by name. */
export function fixtures() {
  const directory = new URL('../../../tests/specs/', import.meta.url);
  return readdirSync(directory).sort().map((name) => ({ name, text: readFileSync(new URL(name, directory), 'utf8') }));
}
