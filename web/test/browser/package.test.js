// The package in a browser, as plain files: no bundler, no build step.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { asPrinted, fixtures, previews } from '../binary.js';
import { generate } from '../generate.js';
import { browserTest } from './browser.js';
import { serve } from './server.js';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const HTML = `<!doctype html>
<link rel="icon" href="data:,">
<script type="module">
  import * as flowhold from '/package/index.js';
  globalThis.flowhold = flowhold;
</script>`;

/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
before(async () => {
  server = await serve({ '/': { html: HTML }, '/package/': DIST });
});
after(() => server?.close());

async function open({ visit }) {
  const page = await visit(`${server.origin}/`);
  await page.waitForFunction(() => 'flowhold' in globalThis);
  return page;
}

browserTest('for all fixtures and 1,000 generated specs, Chromium says what the binary says', { timeout: 120_000 }, async (visitor) => {
  const page = await open(visitor);
  const texts = [...fixtures().map((fixture) => fixture.text), ...generate(1000)];
  const { results, options } = await previews(texts);
  const seen = await page.evaluate(({ texts, options }) => {
    // @ts-ignore: the module of the page
    return texts.map((text) => JSON.stringify(globalThis.flowhold.preview(text, options)));
  }, { texts, options });
  const wrong = texts.filter((_, index) => JSON.stringify(asPrinted(JSON.parse(seen[index]))) !== JSON.stringify(results[index]));
  assert.deepEqual(wrong, [], `${wrong.length} of ${texts.length} differ`);
  // parity.test.js checks that the generated specs are good enough for this.
  assert.ok(results.some(({ plan }) => plan !== null));
});

browserTest('archive, resolve and errors are those of Node', {}, async (visitor) => {
  const node = await import('../../dist/node.js');
  const page = await open(visitor);
  const spec = '[storage]\ntype = "docker"\nfiles = { "/model.bin" = "/opt/model.bin" }\nbase_image = "python:3.11-slim"\n'
    + '[[flows]]\npath = "é.py"\n';
  const contents = { 'é.py': [...new TextEncoder().encode('print()\n')], '/model.bin': Array.from({ length: 3000 }, (_, index) => index % 251) };
  const files = Object.fromEntries(Object.entries(contents).map(([path, bytes]) => [path, Uint8Array.from(bytes)]));
  const seen = await page.evaluate(async ({ spec, contents }) => {
    // @ts-ignore: the module of the page
    const { FlowholdError, archive, resolve } = globalThis.flowhold;
    const files = Object.fromEntries(Object.entries(contents).map(([path, bytes]) => [path, Uint8Array.from(bytes)]));
    const thrown = (act) => {
      try {
        return act();
      } catch (error) {
        return { known: error instanceof FlowholdError, code: error.code, message: error.message, help: error.help };
      }
    };
    const tar = new Uint8Array(await new Blob(archive(spec, { files })).arrayBuffer());
    return { tar: [...tar], resolved: resolve(spec, { files }), refused: thrown(() => resolve(spec)), wrong: thrown(() => resolve(1)) };
  }, { spec, contents });
  assert.ok(Buffer.from(seen.tar).equals(Buffer.concat(/** @type {Uint8Array[]} */ (node.archive(spec, { files })))));
  assert.equal(seen.resolved, node.resolve(spec, { files }));
  assert.deepEqual([seen.refused.known, seen.refused.code], [true, 'unseen-source']);
  assert.deepEqual([seen.wrong.known, seen.wrong.code], [true, 'wrong-type']);
});

browserTest('it loads its own files and nothing else', {}, async (visitor) => {
  const before = server.requests.length;
  await open(visitor);
  const asked = server.requests.slice(before).sort();
  const own = ['assets.js', 'error.js', 'flowhold_bg.js', 'flowhold_bg.wasm', 'index.js', 'judge.js', 'start.js'];
  assert.deepEqual(asked, ['/', ...own.map((name) => `/package/${name}`)]);
  // A module without imports but its own JavaScript can reach nothing that was not given to it.
  const module = await WebAssembly.compile(readFileSync(new URL('../../dist/flowhold_bg.wasm', import.meta.url)));
  assert.deepEqual([...new Set(WebAssembly.Module.imports(module).map((one) => one.module))], ['./flowhold_bg.js']);
});

browserTest('what rarer scripts need is loaded when a name needs it, and once', {}, async (visitor) => {
  const page = await open(visitor);
  const named = (name) => page.evaluate((name) => {
    const flows = [{ name, size: 1, sha256: '0'.repeat(64) }];
    // @ts-ignore: the module of the page
    return globalThis.flowhold.preview({ storage: { type: 'docker' }, flows }).flows[name];
  }, name);
  const loaded = () => server.requests.filter((path) => path.endsWith('readings.bin')).length;
  const before = loaded();
  assert.equal(await named('Größe'), '/root/.prefect/grosse.prefect');
  assert.equal(loaded(), before);
  // The example of python-slugify's own documentation.
  assert.equal(await named('影師嗎'), '/root/.prefect/ying-shi-ma.prefect');
  assert.equal(await named('師'), '/root/.prefect/shi.prefect');
  assert.equal(loaded(), before + 1);
});
