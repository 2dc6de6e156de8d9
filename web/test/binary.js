// The host binary, for tests that compare with it: FLOWHOLD_BIN, which tests/run.sh sets.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

/** @returns {string} its path */
export function binary() {
  const path = process.env.FLOWHOLD_BIN;
  if (!path) throw new Error('FLOWHOLD_BIN is not set: build the binary (cargo build --release) and name it, or run tests/run.sh');
  return path;
}

/** @type {string[]} */
const folders = [];
process.on('exit', () => folders.forEach((path) => rmSync(path, { recursive: true, force: true })));

/** A new folder, which is the home of programs that run in it, and is removed when this process ends. */
export function folder() {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'flowhold-web-')));
  folders.push(path);
  return path;
}

/**
 * Runs the binary.
 * @param {string[]} args
 * @param {{ cwd?: string, input?: string, encoding?: 'utf8' | 'buffer' }} [options]
 * @returns {Promise<{ code: number, stdout: any, stderr: string }>}
 */
export function flowhold(args, { cwd = folder(), input = '', encoding = 'utf8' } = {}) {
  return new Promise((resolve) => {
    const settings = { cwd, env: { ...process.env, HOME: cwd }, encoding, maxBuffer: 1 << 28 };
    const child = execFile(binary(), args, /** @type {any} */ (settings), (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr: String(stderr) });
    });
    // A program that does not read its input may have ended already.
    child.stdin?.on('error', () => {}).end(input);
  });
}

/**
 * What the binary's `preview --format json` prints for each text, and the home and folder that the binary knew.
 * @param {string[]} texts
 */
export async function previews(texts) {
  const cwd = folder();
  /** @type {any[]} */
  const results = new Array(texts.length);
  let next = 0;
  async function work() {
    while (next < texts.length) {
      const index = next++;
      const done = await flowhold(['preview', '--format', 'json', '-f', '-'], { cwd, input: texts[index] });
      try {
        results[index] = JSON.parse(done.stdout);
      } catch {
        throw new Error(`the binary printed no JSON for ${texts[index]}: ${done.stderr}`);
      }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return { results, options: { home: cwd, folder: cwd } };
}

/** The specs of tests/specs, by name. */
export function fixtures() {
  const directory = new URL('../../tests/specs/', import.meta.url);
  const names = readdirSync(directory).sort();
  return names.map((name) => ({ name, text: readFileSync(new URL(name, directory), 'utf8') }));
}

/**
 * A preview of the package as the binary would print it.
 * @param {any} preview
 */
export function asPrinted({ plan, image, platform, dockerfile, sourceMap, ...rest }) {
  return { plan, image, platform, dockerfile, source_map: sourceMap, ...rest };
}
