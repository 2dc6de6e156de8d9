// Tests of the tests' own tools: a watched page must report everything that goes wrong on it.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { folder } from '../binary.js';
import { launch, watched } from './chromium.js';
import { serve } from './server.js';

const POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\'; script-src \'self\' \'unsafe-inline\'; img-src data:">';
const WORKER = 'self.addEventListener("install", () => fetch("http://elsewhere.example/worker").catch(() => 0));';

/** What a script does on a page, and the complaint that it must cause. */
const WRONG = [
  ['console.error("no")', /^console error: no$/],
  ['console.warn("hm")', /^console warning: hm$/],
  ['setTimeout(() => { throw new Error("thrown") })', /^uncaught: thrown$/],
  ['Promise.reject(new Error("rejected"))', /^uncaught: rejected$/],
  ['document.body.setAttribute("style", "color: red")', /^policy: style-src-attr refused inline/],
  ['fetch("http://elsewhere.example/x").catch(() => 0)', /^policy: connect-src refused http:\/\/elsewhere.example\/x/],
  ['location.hash = ""; open("http://elsewhere.example/", "_blank")', /elsewhere: http:\/\/elsewhere.example\/$/],
  ['navigator.serviceWorker.register("/files/worker.js")', /elsewhere: http:\/\/elsewhere.example\/worker$/],
];

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('whatever goes wrong on a page is seen', { timeout: 60_000 }, async (t) => {
  const directory = folder();
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'worker.js'), WORKER);
  const server = await serve({ '/': { html: `<!doctype html>${POLICY}<body>` }, '/files/': directory });
  t.after(server.close);
  for (const [script, wanted] of WRONG) {
    const { complaints, visit, close } = await watched(browser);
    const page = await visit(`${server.origin}/`);
    await page.evaluate((text) => {
      const element = document.createElement('script');
      element.textContent = text;
      document.body.append(element);
    }, /** @type {string} */ (script));
    const seen = () => complaints.some((one) => /** @type {RegExp} */ (wanted).test(one));
    for (const end = Date.now() + 10_000; !seen() && Date.now() < end;) await page.waitForTimeout(20);
    assert.ok(seen(), `${script} was not seen: ${complaints}`);
    await close();
  }
});

test('a page without fault has no complaints', { timeout: 30_000 }, async (t) => {
  const server = await serve({ '/': { html: `<!doctype html>${POLICY}<link rel="icon" href="data:,"><body>` } });
  t.after(server.close);
  const { complaints, visit, close } = await watched(browser);
  await visit(`${server.origin}/`);
  await close();
  assert.deepEqual(complaints, []);
});

test('the server gives what is in its folders, and nothing else', { timeout: 10_000 }, async (t) => {
  const outer = folder();
  t.after(() => rmSync(outer, { recursive: true }));
  const inner = join(outer, 'inner');
  mkdirSync(join(inner, 'sub'), { recursive: true });
  writeFileSync(join(outer, 'secret'), 'secret');
  writeFileSync(join(inner, 'a b.wasm'), 'wasm');
  writeFileSync(join(inner, 'index.html'), 'index');
  symlinkSync(join(outer, 'secret'), join(inner, 'link'));
  const server = await serve({ '/x/': inner });
  t.after(server.close);
  // `fetch` would normalize the paths.
  const ask = (path) => new Promise((resolve, reject) => {
    get(`${server.origin}${path}`, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => resolve([response.statusCode, response.headers['content-type'], text]));
    }).on('error', reject);
  });
  assert.deepEqual(await ask('/x/'), [200, 'text/html; charset=utf-8', 'index']);
  assert.deepEqual(await ask('/x/a%20b.wasm?v=1'), [200, 'application/wasm', 'wasm']);
  for (const path of ['/', '/y', '/x/nothing', '/x/link', '/x/sub', '/x/../secret', '/x/%2e%2e%2fsecret', '/x/..%5csecret', '/x/%00', '/x/%']) {
    const [status, , text] = await ask(path);
    assert.ok(status === 403 || status === 404, `${path}: ${status}`);
    assert.ok(!String(text).includes('secret'), path);
  }
});
