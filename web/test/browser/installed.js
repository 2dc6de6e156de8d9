// The package as others get it: packed, and installed into a project that has nothing else.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WEB = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a program to its end. @returns {Promise<string>} what it printed */
export function run(command, args, cwd, timeout = 60_000) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, encoding: 'utf8', timeout, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')}: ${error.code ?? error.signal}\n${stdout}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

/**
 * Packs and installs the package. No registry is asked: a package that needed another package would fail here.
 * @returns {Promise<{ project: string, packed: any, write: (name: string, text: string) => void, remove: () => void }>}
 *   the project's folder, and what npm says of the package
 */
export async function install() {
  const project = realpathSync(mkdtempSync(join(tmpdir(), 'flowhold-installed-')));
  const remove = () => rmSync(project, { recursive: true, force: true });
  const write = (name, text) => {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), text);
  };
  try {
    const [packed] = JSON.parse(await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], WEB));
    write('package.json', JSON.stringify({ name: 'project', private: true, type: 'module' }));
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`], project);
    return { project, packed, write, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
