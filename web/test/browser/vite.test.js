// The package in a project that Vite builds and serves, without a line of configuration.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LONGEST_TEST, browserTest } from './browser.js';
import { install, run } from './installed.js';
import { onHost } from './page.js';
import { serve } from './server.js';

const VITE = fileURLToPath(new URL('../../page/node_modules/vite/bin/vite.js', import.meta.url));
const SPEC = '[storage]\ntype = "docker"\nbase_image = "python:3.11-slim"\nimage_name = "etl"\n';

/** @type {Awaited<ReturnType<typeof install>>} */
let installed;
before(async () => {
  if (!existsSync(VITE)) throw new Error('there is no Vite: cd web/page && npm ci');
  installed = await install();
  installed.write('index.html', `<!doctype html>
    <link rel="icon" href="data:,">
    <output></output>
    <script type="module" src="/main.js"></script>`);
  installed.write('main.js', `
    import { preview } from 'flowhold';
    document.querySelector('output').textContent = JSON.stringify(preview(${JSON.stringify(SPEC)}));`);
}, { timeout: 120_000 });
after(() => installed?.remove());

async function assertPlans({ visit }, url) {
  const page = await visit(url);
  await page.waitForFunction(() => document.querySelector('output')?.textContent !== '');
  const { plan, dockerfile } = JSON.parse(await page.locator('output').textContent() ?? '');
  const host = await onHost(SPEC);
  assert.deepEqual([plan, dockerfile], [host.plan, host.dockerfile]);
}

browserTest('built by Vite', {}, async (visitor) => {
  // The base is relative, as for a site below a path.
  await run(process.execPath, [VITE, 'build', '--base', './', '--logLevel', 'warn'], installed.project);
  const server = await serve({ '/below/': join(installed.project, 'dist') });
  try {
    await assertPlans(visitor, `${server.origin}/below/`);
  } finally {
    await server.close();
  }
});

browserTest('served by Vite while developing', {}, async (visitor) => {
  const server = spawn(process.execPath, [VITE, '--host', '127.0.0.1', '--port', '0', '--clearScreen', 'false'], {
    cwd: installed.project, stdio: ['ignore', 'pipe', 'pipe'], timeout: LONGEST_TEST, env: { ...process.env, NO_COLOR: '1' },
  });
  const ended = once(server, 'exit');
  try {
    const url = await new Promise((resolve, reject) => {
      let printed = '';
      const read = (part) => {
        printed += part;
        const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(printed);
        if (found) resolve(found[0]);
      };
      server.stdout.on('data', read);
      server.stderr.on('data', read);
      server.on('exit', () => reject(new Error(`Vite ended: ${printed}`)));
      server.on('error', reject);
    });
    await assertPlans(visitor, url);
  } finally {
    server.kill();
    await ended;
  }
});
