// What the page requests: nothing elsewhere, and nothing at all once it has been opened.
import assert from 'node:assert/strict';
import { browserTest, pageServer } from './browser.js';
import { PATH, PreviewPage, hosted, onHost, servePage } from './page.js';

const server = pageServer();

const POLICY = {
  'default-src': ["'none'"],
  'script-src': ["'self'", "'wasm-unsafe-eval'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'worker-src': ["'self'"],
  'manifest-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
};

browserTest('the policy is a strict one, stands before all that it is about, and is in force', {
  // The complaints about what is tried below.
  expected: [/^policy: /, /Content Security Policy/, /elsewhere\.example/],
}, async ({ visit }) => {
  const page = await visit(server.url());
  const { head, content } = await page.evaluate(() => ({
    head: [...document.head.children].map((one) => one.outerHTML),
    content: document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute('content') ?? '',
  }));
  const policy = content.split(';').map((directive) => directive.trim().split(/\s+/));
  assert.deepEqual(Object.fromEntries(policy.map(([name, ...sources]) => [name, sources])), POLICY);
  const place = head.findIndex((one) => one.includes('Content-Security-Policy'));
  assert.ok(head.slice(0, place).every((one) => one.startsWith('<meta')), head.join('\n'));
  const { refused, executed } = await page.evaluate(async () => {
    const refused = new Set();
    document.addEventListener('securitypolicyviolation', ({ violatedDirective }) => refused.add(violatedDirective));
    document.body.insertAdjacentHTML('beforeend', `<p style="color: red"></p><img src="data:," onerror="globalThis.executed = 1">
      <img src="http://elsewhere.example/x"><iframe src="http://elsewhere.example/"></iframe><base href="http://elsewhere.example/">`);
    const script = document.createElement('script');
    script.textContent = 'globalThis.executed = 2';
    document.body.append(script);
    await fetch('http://elsewhere.example/').catch(() => 0);
    while (refused.size < 7) await new Promise(requestAnimationFrame);
    return { refused: [...refused].sort(), executed: 'executed' in globalThis };
  });
  assert.deepEqual(refused, ['base-uri', 'connect-src', 'frame-src', 'img-src', 'script-src-attr', 'script-src-elem', 'style-src-attr']);
  assert.equal(executed, false);
});

browserTest('everything that the page loads is there', {}, async (visitor) => {
  const bad = [];
  visitor.context.on('response', (response) => {
    if (!response.ok()) bad.push(`${response.status()} ${response.url()}`);
  });
  const page = await PreviewPage.open(visitor, server.url());
  await page.page.waitForFunction(() => document.getElementById('offline')?.textContent !== '');
  assert.deepEqual(bad, []);
  assert.deepEqual(server.requests().filter((path) => !path.startsWith(PATH)), []);
});

browserTest('once opened, the page loads and plans without a network', {}, async (visitor) => {
  const short = await servePage();
  const url = `${short.origin}${PATH}`;
  try {
    const page = await PreviewPage.open(visitor, url);
    await page.page.waitForFunction(() => document.getElementById('offline')?.textContent === 'Works offline');
    await page.write('[storage]\ntype = "docker"\nbase_image = "python:3.10"\n');
    // The page keeps an edit a moment later.
    await page.page.waitForFunction(() => localStorage.getItem('flowhold.spec')?.includes('python:3.10'));
  } finally {
    await short.close();
  }
  const [page] = visitor.context.pages().map((one) => new PreviewPage(one));
  await page.page.reload();
  await page.planned();
  await page.shows('dockerfile', 'FROM python:3.10');
  const spec = '[storage]\ntype = "docker"\nbase_image = "python:3.9"\nimage_name = "etl"\n';
  await page.write(spec);
  const { plan, dockerfile } = await onHost(spec);
  assert.equal(await page.byId('plan').textContent(), plan);
  assert.equal(`${(await page.dockerfile()).join('\n')}\n`, dockerfile);
  // Also at an address that was never loaded before, and with code that is loaded only when it is needed.
  await page.page.goto(`${url}?from=elsewhere#spec=zz`);
  await page.planned();
  await page.shows('notice', 'could not be read');
  await page.page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['print()\n'], 'offline.py'));
    document.querySelector('main')?.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
  });
  await page.page.waitForSelector('#drop-notices .notice');
  assert.match(await page.text(), /path = "offline\.py"/);
});

browserTest('it is kept where index.html is redirected to its folder, and other pages below it are themselves', {}, async (visitor) => {
  const docs = { html: '<!doctype html><link rel="icon" href="data:,"><title>Docs</title>' };
  const server = await servePage({ [`${PATH}index.html`]: { redirect: PATH }, [`${PATH}docs/`]: docs });
  try {
    const { page } = await PreviewPage.open(visitor, `${server.origin}${PATH}`);
    await page.waitForFunction(() => document.getElementById('offline')?.textContent === 'Works offline');
    await page.goto(`${server.origin}${PATH}docs/?q=1`);
    assert.equal(await page.title(), 'Docs');
    for (const name of ['', 'index.html']) {
      await page.goto(`${server.origin}${PATH}${name}`);
      await new PreviewPage(page).planned();
    }
  } finally {
    await server.close();
  }
  const [page] = visitor.context.pages();
  await page.reload();
  await new PreviewPage(page).planned();
});

browserTest('a new version waits until it is asked for, and other tabs hear of it', {}, async (visitor) => {
  const { url, read, write } = await hosted(visitor.t, {});
  const open = async () => {
    const opened = await PreviewPage.open(visitor, url);
    await opened.page.waitForFunction(() => document.getElementById('offline')?.textContent === 'Works offline');
    return opened;
  };
  const [first, other] = [await open(), await open()];
  write('index.html', read('index.html').replace(/<title>[^<]*/, '<title>New'));
  write('service-worker.js', read('service-worker.js').replace(/[0-9a-f]{16}/, '0'.repeat(16)));
  await first.page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  for (const { page } of [first, other]) {
    await page.getByRole('button', { name: 'Load it', exact: true }).waitFor();
    assert.notEqual(await page.title(), 'New');
  }
  await first.page.getByRole('button', { name: 'Load it', exact: true }).click();
  await first.page.waitForFunction(() => document.title === 'New');
  await other.shows('notice', 'A new version of this page was loaded in another tab');
  assert.notEqual(await other.page.title(), 'New');
  await other.page.getByRole('button', { name: 'Load it here too' }).click();
  await other.page.waitForFunction(() => document.title === 'New');
});

browserTest('a planner that can not be loaded is said, and tried again', {
  // The browser itself reports what could not be loaded, and Playwright reports what it blocks.
  expected: [/Failed to load resource/, /Service Worker registration blocked/],
  context: { serviceWorkers: 'block' },
}, async (visitor) => {
  let [requests, goOn] = [0, () => {}];
  const held = new Promise((resolve) => (goOn = () => resolve(null)));
  await visitor.context.route('**/*.wasm', async (route) => {
    requests += 1;
    if (requests <= 2) return route.fulfill({ status: 503, body: '' });
    await held;
    return route.continue();
  });
  const page = new PreviewPage(await visitor.visit(server.url()));
  await page.shows('notice', 'The planner could not be loaded; it is tried again');
  const notice = await page.page.$('.notice');
  // The notice is shown once, however often loading is tried.
  while (requests < 3) await page.frame();
  assert.equal(await notice?.evaluate((node) => node.isConnected), true);
  goOn();
  await page.planned();
  await page.shows('plan', /^sha256:/);
  await page.page.waitForFunction(() => document.querySelector('.notice') === null);
});
