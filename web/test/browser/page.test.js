// The page: what is written is planned, and every line says where it comes from.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flowhold, folder } from '../binary.js';
import { browserTest, pageServer } from './browser.js';
import { PreviewPage, onHost } from './page.js';

const server = pageServer();

const SHA256 = '5755c8adc8f1011f96fee8103450a2642293466ddeae397ae5c4b958bf67b681';
const SPEC = `[storage]
type = "docker"
base_image = "python:3.11-slim"
python_dependencies = ["pandas>=2,<3", "requests"]
image_name = "etl"

[storage.env_vars]
MODE = "prod"
LEVEL = "info"

[[flows]]
path = "hello.py"
size = 27
sha256 = "${SHA256}"
`;

browserTest('the first view is a plan, and it is the one of the host', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const host = await onHost(await page.text());
  assert.equal(await page.byId('plan').textContent(), host.plan);
  assert.equal(`${(await page.dockerfile()).join('\n')}\n`, host.dockerfile);
  assert.equal(await page.byId('expect-plan').textContent(), `flowhold build --expect-plan ${host.plan}`);
  await page.shows('status', /Planned\. No problems\./);
});

browserTest('typing changes the Dockerfile', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(SPEC);
  await page.cursorBehind('python:3.11-slim');
  await page.type('-bookworm');
  await page.lists('[data-line="1"] code', ['FROM python:3.11-slim-bookworm']);
  await page.cursorBehind('LEVEL = "info"');
  await page.keyboard.press('Enter');
  await page.type("WORDS = 'a $HOME \"b\"'");
  const host = await onHost(await page.text());
  await page.lists('[data-testid="dockerfile"] .line code', host.dockerfile.trimEnd().split('\n'));
  assert.match(host.dockerfile, /WORDS="a \\\$HOME \\"b\\""/);
  assert.equal(await page.byId('plan').textContent(), host.plan);
});

browserTest('an error is marked where it is, and goes away when it is mended', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(SPEC);
  const good = await page.byId('plan').textContent();
  const wrong = SPEC.replace('image_name', 'imagename').replace('>=2,<3', '>=');
  await page.write(wrong);
  const host = await onHost(wrong);
  assert.equal(host.diagnostics.length, 2);
  // The list has the host's diagnostics with their lines, and the editor marks the fields themselves.
  await page.lists('[data-testid="problems"] .line', host.diagnostics.map(({ line }) => `line ${line}`));
  for (const { message } of host.diagnostics) assert.ok((await page.byId('problems').textContent())?.includes(message), message);
  await page.lists('#editor .cm-lintRange-error', ['"pandas>="', 'imagename = "etl"']);
  await page.shows('status', /2 errors/);
  await page.shows('why-no-plan', /No plan yet/);
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  await page.shows('panel-dockerfile', /There is an error\. This is the last Dockerfile that could be planned\./);
  // An entry of the list leads to its place.
  await page.byId('problems').getByRole('button').nth(1).click();
  await page.keyboard.insertText('image_name = "etl"');
  await page.lists('#editor .cm-lintRange-error', ['"pandas>="']);
  await page.cursorBehind('pandas>=');
  await page.type('2,<3');
  await page.lists('#editor .cm-lintRange-error', []);
  await page.lists('[data-testid="problems"] li', []);
  await page.shows('status', /Planned\. No problems\./);
  assert.equal(await page.byId('plan').textContent(), good);
  assert.equal(await page.text(), SPEC);
});

browserTest('a text that is no spec at all is an error and nothing else', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  for (const text of ['[storage\n', '{"storage": ', 'a = "\u0007\u2028🚀', '<script>alert(1)</script>', `a = ${'['.repeat(20_000)}`]) {
    await page.write(text);
    await page.shows('status', /1 error/);
    assert.equal(await page.page.locator('#editor .cm-lint-marker-error').count(), 1, text.slice(0, 30));
  }
  await page.write('');
  await page.shows('status', 'Planned. 1 warning.');
  await page.write(SPEC);
  await page.shows('plan', /^sha256:/);
});

browserTest('storage and naming are those of the spec, and not what else there is of these names', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  // The page knows the storage whether the bytes of the flow are here or not.
  for (const [text, type] of [
    ['[[flows]]\npath = "a.py"\n', 'local'],
    [`{"flows": [{"path": "a.py", "name": "type: 'memory'"}]}`, 'local'],
    ['[storage]\ntype = """bytes"""\n', 'bytes'],
    [JSON.stringify({ storage: { type: 'memory' }, flows: [{ path: 'a.py', size: 1, sha256: SHA256 }] }), 'memory'],
  ]) {
    await page.write(text);
    await page.shows('dockerfile', `A ${type} storage needs no image`);
    await page.byId('tab-context').click();
    await page.shows('panel-context', `A ${type} storage sends no build context.`);
    await page.byId('tab-image').click();
    await page.shows('panel-image', `A ${type} storage has no image.`);
    await page.byId('tab-dockerfile').click();
  }
  await page.byId('tab-image').click();
  for (const [naming, shown] of [[undefined, 'uuid'], ['plan', 'plan'], ['uuid', 'uuid']]) {
    await page.write(JSON.stringify({ storage: { type: 'docker', env_vars: { naming: 'flow' }, naming } }));
    await page.shows('panel-image', `naming = "${shown}"`);
  }
});

browserTest('a line of the Dockerfile shows which fields made it', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(SPEC);
  const { source_map: sourceMap, steps } = await onHost(SPEC);
  const written = {
    'storage.base_image': ['base_image = "python:3.11-slim"'],
    // Neighbouring fields have one mark.
    'storage.python_dependencies[0],storage.python_dependencies[1]': ['"pandas>=2,<3", "requests"'],
    'storage.env_vars.MODE': ['MODE = "prod"'],
    'storage.env_vars.LEVEL': ['LEVEL = "info"'],
    'flows[0]': ['[[flows]]', 'path = "hello.py"', 'size = 27', `sha256 = "${SHA256}"`],
  };
  const seen = new Set();
  const { length } = await page.dockerfile();
  for (let line = 1; line <= length; line++) {
    const { why } = steps.find((step) => line >= step.line && line < step.line + step.lines);
    const fields = sourceMap.filter((one) => one.line === line).map(({ field }) => field);
    await page.page.hover(`[data-line="${line}"]`);
    await page.shows('why', `Line ${line} made by ${fields.join(', ')}`);
    assert.ok((await page.byId('why').textContent())?.endsWith(why));
    const wanted = written[fields.join()];
    if (!wanted) continue;
    await page.lists('#editor .cm-linked', wanted);
    seen.add(fields.join());
  }
  assert.deepEqual([...seen].sort(), Object.keys(written).sort());
  // The explanation stays when the pointer moves to it.
  await page.page.hover('[data-line="1"]');
  await page.page.hover('#why');
  await page.shows('why', 'Line 1 made by storage.base_image');
  await page.page.hover('h1');
  await page.lists('#editor .cm-linked', []);
});

browserTest('the cursor in the spec marks the lines that its field made', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const spec = `${SPEC}\n[[flows]]\npath = "other.py"\nsize = 27\nsha256 = "${SHA256}"\n`;
  await page.write(spec);
  const { source_map: sourceMap, dockerfile } = await onHost(spec);
  const lines = dockerfile.split('\n');
  const madeBy = (field) => lines.filter((_, index) => sourceMap.some((one) => one.line === index + 1 && one.field === field));
  for (const [text, field] of [
    ['base_image', 'storage.base_image'], ['MODE', 'storage.env_vars.MODE'], ['"requests', 'storage.python_dependencies[1]'],
    ['LEVEL = "in', 'storage.env_vars.LEVEL'], ['size', 'flows[0]'],
  ]) {
    const wanted = madeBy(field);
    assert.ok(wanted.length > 0, field);
    await page.cursorBehind(text);
    await page.lists('[data-testid="dockerfile"] .line.made code', wanted);
  }
  await page.cursorBehind('image_name');
  await page.lists('[data-testid="dockerfile"] .line.made code', []);
});

browserTest('while the spec has an error, nothing leads to where fields were before it', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(`# Gone later, and with it every place.\n${SPEC}`);
  await page.cursorBehind('MODE');
  const mode = '[data-testid="dockerfile"] .line.made code';
  await page.lists(mode, ['    MODE="prod"']);
  const wrong = SPEC.replace('image_name', 'imagename');
  await page.write(wrong);
  await page.shows('status', /1 error/);
  await page.cursorBehind('MODE');
  await page.lists(mode, []);
  await page.page.hover('[data-line="1"]');
  await page.shows('why', 'Line 1 made by storage.base_image');
  await page.lists('#editor .cm-linked', []);
  await page.page.locator('[data-line="1"]').focus();
  await page.keyboard.press('Enter');
  assert.equal(await page.page.evaluate(() => document.activeElement?.getAttribute('data-line')), '1');
  await page.lists('#editor .cm-linked', []);
  // Once the error is mended, the line under the pointer leads to its field again.
  await page.byId('problems').getByRole('button').click();
  await page.page.hover('[data-line="1"]');
  await page.keyboard.insertText('image_name = "etl"');
  await page.shows('status', 'No problems');
  await page.page.locator('#editor .cm-linked').first().waitFor();
});

browserTest('a pinned plan says which steps run again, as the host does', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(SPEC);
  await page.byId('pin').click();
  await page.shows('forecast', /All 8 steps are cached/);
  const later = SPEC.replace('"info"', '"debug"');
  await page.write(later);
  const directory = folder();
  visitor.t.after(() => rmSync(directory, { recursive: true }));
  const old = join(directory, 'old.json');
  writeFileSync(old, JSON.stringify(await onHost(SPEC)));
  const { forecast } = await onHost(later, '--since', old);
  assert.deepEqual(forecast.map((step) => step.cached), [true, true, true, true, false, false, false, false]);
  await page.lists('[data-testid="verdict"]', forecast.map(({ cached, reason }) => `${cached ? 'cached' : 'runs again'} ${reason}`));
  await page.shows('forecast', /4 of 8 steps run again/);
  // The pinned plan is kept for the next visit, until the user unpins it.
  await page.page.reload();
  await page.planned();
  await page.shows('forecast', /4 of 8 steps run again/);
  await page.byId('pin').click();
  await page.lists('[data-testid="verdict"]', []);
  assert.equal(await page.byId('forecast').isVisible(), false);
});

browserTest('a large context is not opened all at once', {}, async (visitor) => {
  const list = Array.from({ length: 5000 }, (_, at) => `{ path = "${at % 50}/${at}", mode = 420, size = 1, sha256 = "${SHA256}" }`);
  const directories = ['', ...Array(50).keys()].map((path) => `{ path = "${path}", mode = 493 }`);
  const page = await PreviewPage.open(visitor, server.url());
  await page.byId('tab-context').click();
  const files = `[storage.files]\n"/data" = { destination = "/data", entries = [${[...directories, ...list]}] }\n`;
  await page.write(SPEC.replace('[[flows]]', `${files}$&`));
  await page.shows('panel-context', /^5,00\d files/);
  const rows = page.page.locator('#panel-context .row');
  const before = await rows.count();
  assert.ok(before > 500 && before < 1200, `${before} rows`);
  await page.page.locator('#panel-context .row.directory[aria-expanded="false"]', { hasText: '100 files' }).last().click();
  await page.page.waitForFunction((count) => document.querySelectorAll('#panel-context .row').length === count, before + 100);
});

browserTest('names that can not be read at the moment are a problem, and the pinned plan stays', {
  expected: [/Failed to load resource/, /Service Worker registration blocked/],
  context: { serviceWorkers: 'block' },
}, async (visitor) => {
  await visitor.context.route('**/readings*', (route) => route.fulfill({ status: 503, body: '' }));
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(SPEC);
  await page.byId('pin').click();
  await page.shows('forecast', 'All 8 steps are cached');
  await page.write(SPEC.replace('[[flows]]', '$&\nname = "\u65e5\u672c"'));
  await page.shows('problems', 'readings.bin');
  await page.shows('why-no-plan', 'readings.bin');
  assert.equal(await page.byId('notice').count(), 0);
  await page.write(SPEC);
  await page.shows('forecast', 'All 8 steps are cached');
});

browserTest('the tabs are reached and chosen by keyboard', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(SPEC);
  const host = await onHost(SPEC);
  await page.byId('tab-dockerfile').focus();
  const shows = {
    context: /flows\/.*hello\.prefect/, image: /etl/, spec: /"sha256": "5755c8/, storage: /"type": "Docker"/, dockerfile: /FROM python/,
  };
  for (const [key, chosen] of [
    ['ArrowRight', 'context'], ['ArrowRight', 'image'], ['ArrowRight', 'spec'], ['ArrowRight', 'storage'], ['ArrowRight', 'dockerfile'],
    ['End', 'storage'], ['Home', 'dockerfile'], ['ArrowLeft', 'storage'],
  ]) {
    await page.keyboard.press(key);
    assert.equal(await page.page.evaluate(() => document.activeElement?.id), `tab-${chosen}`, `after ${key}`);
    assert.equal(await page.byId(`tab-${chosen}`).getAttribute('aria-selected'), 'true');
    await page.shows(`panel-${chosen}`, shows[chosen]);
    assert.equal(await page.page.locator('[role="tabpanel"]:visible').count(), 1, `after ${key}`);
    assert.equal(await page.page.locator('[role="tab"][tabindex="0"], [role="tab"]:not([tabindex])').count(), 1);
  }
  // The resolved spec on the page is the host's, and yields the same plan.
  await page.keyboard.press('ArrowLeft');
  await page.shows('panel-spec', shows.spec);
  const resolved = (await page.page.locator('#panel-spec pre').allTextContents()).join('');
  assert.equal(resolved, (await flowhold(['preview', '--format', 'spec', '-f', '-'], { cwd: tmpdir(), input: SPEC })).stdout);
  await page.write(resolved);
  assert.equal(await page.byId('plan').textContent(), host.plan);
});
