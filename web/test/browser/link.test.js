// Links: a spec travels in the fragment, and a fragment may have been written by anybody.
import assert from 'node:assert/strict';
import { deflateRawSync } from 'node:zlib';
import { browserTest, pageServer } from './browser.js';
import { watched } from './chromium.js';
import { PreviewPage, onHost } from './page.js';

const server = pageServer();

const MARKUP = '<img src=x onerror=globalThis.executed=1>';
const SHA256 = '5755c8adc8f1011f96fee8103450a2642293466ddeae397ae5c4b958bf67b681';
const HOSTILE = `# ${MARKUP}</script><script>globalThis.executed=1</script>
[storage]
type = "docker"
base_image = "python:3.11-slim"
image_name = "${MARKUP}"
python_dependencies = ["a; ${MARKUP}"]
"${MARKUP}" = 1
env_vars = { MODE = "${MARKUP}" }

[storage.files]
"/a/${MARKUP}" = { destination = "/opt/${MARKUP}", entries = [{ path = "", size = 27, sha256 = "${SHA256}", mode = 420 }] }

[[flows]]
name = "${MARKUP}"
path = "${MARKUP}.py"
size = 27
sha256 = "${SHA256}"
`;
/** The same spec without its errors, so that there is a plan. */
const PLANNED = HOSTILE.split('\n').filter((line) => !/^(image_name|python_dependencies|")/.test(line) || line.startsWith('"/a')).join('\n');

const inLink = (bytes) => `#spec=${deflateRawSync(bytes).toString('base64url')}`;

/** Asserts that no part of the spec became an element, was executed or was requested. */
async function assertOnlyText(page) {
  const found = await page.page.evaluate(() => {
    const roots = [document, ...[...document.querySelectorAll('*')].flatMap((one) => one.shadowRoot ?? [])];
    return roots.flatMap((root) => [...root.querySelectorAll('img[onerror], img[src="x"], [onerror], main script')].map((one) => one.outerHTML));
  });
  assert.deepEqual(found, []);
  assert.equal(await page.page.evaluate(() => 'executed' in globalThis), false);
  assert.deepEqual(server.requests().filter((path) => path.endsWith('/x')), []);
}

browserTest('a link brings the spec to another browser', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const spec = '# é 🚀\n[storage]\ntype = "memory"\n\n[[flows]]\npath = "a.py"\nsize = 27\n' + `sha256 = "${SHA256}"\n`;
  await page.write(spec);
  const { plan } = await onHost(spec);
  await page.byId('share').click();
  await page.shows('status', 'Copied.');
  const link = await page.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, page.page.url());
  // When "Copied." goes away, a status that is no longer true does not come back.
  await page.write('[storage\n');
  await page.byId('share').click();
  await page.shows('status', /^1 error/);
  await page.write(spec);
  await page.shows('status', /^Planned/);
  const before = server.requests().length;
  const elsewhere = await watched(visitor.browser);
  try {
    const other = await PreviewPage.open(elsewhere, link);
    assert.equal(await other.text(), spec);
    assert.equal(await other.byId('plan').textContent(), plan);
    // The spec of a link replaces the user's own only once it is edited.
    assert.equal(await other.page.evaluate(() => localStorage.getItem('flowhold.spec')), null);
    // The link no longer has the text that the page shows.
    await other.cursorBehind('# é 🚀');
    await other.type('!');
    assert.equal(new URL(other.page.url()).hash, '');
  } finally {
    await elsewhere.close();
  }
  assert.deepEqual(elsewhere.complaints, []);
  assert.ok(server.requests().slice(before).every((path) => !path.includes('spec')), 'a fragment never reaches a server');
});

browserTest('a link opened in a page that is open already replaces its spec', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const revision = await page.revision();
  await page.page.evaluate((hash) => {
    location.hash = hash;
  }, inLink('[storage]\ntype = "bytes"\n'));
  await page.planned(revision);
  await page.shows('dockerfile', 'A bytes storage needs no image');
  await page.page.evaluate(() => {
    location.hash = '#spec=!';
  });
  await page.shows('notice', 'The spec in this link could not be read');
  assert.equal(await page.text(), '[storage]\ntype = "bytes"\n');
});

browserTest('links that make no sense are refused, and the page is there', { timeout: 120_000 }, async (visitor) => {
  const cut = inLink(`${'x'.repeat(2000)}${HOSTILE}`);
  const LINKS = {
    'no base64': '#spec=!!!',
    'no base64, but markup': `#spec=${MARKUP}`,
    'broken percent signs': '#spec=%E0%A4%A',
    empty: '#spec=',
    'not deflated': `#spec=${Buffer.from('hello world').toString('base64url')}`,
    'cut off': cut.slice(0, cut.length - 20),
    'something after it': `${inLink('abc')}AAAA`,
    'no UTF-8': inLink(Buffer.from([0xff, 0xfe, 0xc0])),
    '50 MB out of 50 kB': inLink(Buffer.alloc(50_000_000)),
    'just larger than 1 MiB': inLink(Buffer.alloc((1 << 20) + 1, '#')),
    '2 MB long': `#spec=${'A'.repeat(1_900_000)}`,
  };
  for (const [name, hash] of Object.entries(LINKS)) {
    const page = await PreviewPage.open(visitor, server.url(hash));
    assert.match((await page.byId('notice').allTextContents()).join(), /^The spec in this link could not be read: [^<]+\.$/, name);
    await page.shows('dockerfile', 'FROM python:3.11-slim');
    assert.match(await page.byId('plan').textContent() ?? '', /^sha256:/, name);
    await assertOnlyText(page);
    await page.page.close();
  }
});

browserTest('neither a damaged link nor an example costs anybody their own spec', {}, async (visitor) => {
  const own = '# mine\n[storage]\ntype = "memory"\n';
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(own);
  await page.page.waitForFunction((text) => localStorage.getItem('flowhold.spec') === text, own);
  const damaged = await PreviewPage.open(visitor, server.url('#spec=zz'));
  await damaged.shows('notice', 'could not be read');
  assert.equal(await damaged.text(), own);
  const revision = await page.revision();
  await page.byId('examples').click();
  await page.page.getByRole('menuitem').first().click();
  await page.planned(revision);
  assert.notEqual(await page.text(), own);
  await page.keyboard.press('Control+Z');
  assert.equal(await page.text(), own);
});

browserTest('of links that are opened soon one after the other, the last one counts', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const revision = await page.revision();
  await page.page.evaluate(async ([slow, quick]) => {
    const Stream = DecompressionStream;
    // @ts-ignore: as far as the page uses it
    globalThis.DecompressionStream = function () {
      globalThis.DecompressionStream = Stream;
      const { readable, writable } = new Stream('deflate-raw');
      const held = new TransformStream({
        transform: async (chunk, to) => {
          await new Promise((resolve) => Object.assign(globalThis, { release: resolve }));
          to.enqueue(chunk);
        },
        flush: () => void Object.assign(globalThis, { released: true }),
      });
      return { writable, readable: readable.pipeThrough(held) };
    };
    const opened = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }));
    location.hash = slow;
    await opened;
    location.hash = quick;
  }, [inLink('# slow\n'), inLink('# quick\n')]);
  await page.planned(revision);
  assert.equal(await page.text(), '# quick\n');
  await page.page.waitForFunction(() => 'release' in globalThis);
  // @ts-ignore: made above
  await page.page.evaluate(() => globalThis.release());
  await page.page.waitForFunction(() => 'released' in globalThis);
  await page.frame();
  await page.frame();
  assert.equal(await page.text(), '# quick\n');
});

for (const [what, text] of Object.entries({
  'a line of a bracket and a million spaces': `[${' '.repeat(1_000_000)}]x`,
  'a line of a million letters': 'a'.repeat(1_000_000),
})) {
  browserTest(`the page opens with ${what}`, {}, async (visitor) => {
    const page = await PreviewPage.open(visitor, server.url(inLink(text)));
    await page.focus();
    await page.keyboard.press('PageDown');
    await page.frame();
  });
}

browserTest('what is not seen, or turns text around, is shown as an escape', {}, async (visitor) => {
  const spec = '[storage]\ntype = "docker"\n# \u202edlo\u202c\nenv_vars = { MODE = "a\u202eb\u200bc\ufe0f" }\n"x\u2066y" = 1\n';
  const shown = 'a\\u{202e}b\\u{200b}c\\u{fe0f}';
  const page = await PreviewPage.open(visitor, server.url(inLink(spec)));
  await page.lists('#editor .cm-specialChar', ['202e', '202c', '202e', '200b', 'fe0f', '2066'].map((code) => `\\u{${code}}`));
  await page.shows('problems', 'x\\u{2066}y');
  assert.equal(await page.text(), spec);
  await page.write(spec.replace(/"x.*\n/, ''));
  await page.shows('dockerfile', `MODE="${shown}"`);
  await page.byId('tab-spec').click();
  await page.shows('panel-spec', `"MODE": "${shown}"`);
});

browserTest('a link of exactly 1 MiB is read', {}, async (visitor) => {
  const spec = '[storage]\ntype = "memory"\n'.padEnd(1 << 20, '#');
  const page = await PreviewPage.open(visitor, server.url(inLink(spec)));
  assert.equal(await page.byId('notice').count(), 0);
  await page.shows('dockerfile', 'A memory storage needs no image');
});

browserTest('markup in a spec is text wherever it is shown', {}, async (visitor) => {
  for (const [spec, problems] of /** @type {const} */ ([[HOSTILE, /<img src=x/], [PLANNED, /^/]])) {
    const page = await PreviewPage.open(visitor, server.url(inLink(spec)));
    await page.shows('problems', problems);
    for (const tab of ['context', 'image', 'spec', 'storage', 'dockerfile']) {
      await page.byId(`tab-${tab}`).click();
      if (spec === PLANNED) await page.shows(`panel-${tab}`, tab === 'context' ? 'img' : MARKUP);
      await assertOnlyText(page);
    }
    // Also in what appears when the user points at it.
    const marked = page.page.locator('#editor .cm-lintRange-error');
    if (spec === HOSTILE) {
      await marked.first().hover();
      await page.page.locator('#editor .cm-tooltip-lint').waitFor();
      await assertOnlyText(page);
    } else {
      await page.page.hover('[data-line="2"]');
      await assertOnlyText(page);
    }
    assert.equal(await page.text(), spec);
  }
});

browserTest('what the browser kept may be rubbish', {}, async (visitor) => {
  await visitor.context.addInitScript((markup) => {
    // An empty document has no storage.
    if (location.protocol !== 'http:') return;
    localStorage.setItem('flowhold.spec', markup);
    localStorage.setItem('flowhold.theme', markup);
    localStorage.setItem('flowhold.pinned', '{"plan": "x", "dockerfile": 3}');
  }, MARKUP);
  const page = await PreviewPage.open(visitor, server.url());
  assert.equal(await page.text(), MARKUP);
  await page.shows('status', '1 error');
  await assertOnlyText(page);
  await page.write('[storage]\ntype = "memory"\n');
  await page.shows('plan', /^sha256:/);
});
