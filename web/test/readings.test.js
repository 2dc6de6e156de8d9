// Names in rarer scripts: their readings are in a file beside the module, which is loaded when such a name comes up.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const vectors = new URL('../../tests/vectors/slug.json', import.meta.url);
const copies = mkdtempSync(join(tmpdir(), 'flowhold-readings-'));
after(() => rmSync(copies, { recursive: true }));

const isRarer = (name) => /[\u0530-\u1cff\u2800-\uffff]/.test(name);

/** The package with other readings, or with none: a folder of its own, since modules are loaded once. */
function copy(name, change) {
  const folder = join(copies, name);
  cpSync(dist, folder, { recursive: true });
  change(join(folder, 'readings.bin'));
  return import(join(folder, 'node.js'));
}

function slug(flowhold, name) {
  const [location] = Object.values(flowhold.preview({ storage: { type: 'local', directory: '/' }, flows: [{ path: 'a', name }] }).flows);
  return location.slice('/'.length, -'.prefect'.length);
}

test('slugs of rarer scripts equal those of python-slugify', async () => {
  const flowhold = await copy('whole', () => {});
  const rows = JSON.parse(readFileSync(vectors, 'utf8')).filter((row) => isRarer(row.name) && row.slug);
  assert.ok(rows.length > 30, `${rows.length} rows`);
  const equal = rows.filter((row) => slug(flowhold, row.name) === row.slug).length;
  // The rest differs in the binary too; core's own test states the rate.
  assert.ok(equal * 100 >= rows.length * 87, `${equal} of ${rows.length}`);
  assert.equal(slug(flowhold, '日本語のフロー'), 'ri-ben-yu-nohuro');
});

test('without the file only names in rarer scripts are refused', async () => {
  const flowhold = await copy('missing', (file) => rmSync(file));
  assert.equal(slug(flowhold, 'Ünïcode Привет 한국어'), 'unicode-privet-hangugeo');
  const refused = { name: 'FlowholdError', kind: 'unavailable', code: 'no-readings', help: /readings\.bin/ };
  assert.throws(() => slug(flowhold, '日本'), refused);
  const storage = new flowhold.MemoryStorage();
  assert.throws(() => storage.addFlow({ name: '日本', content: '' }), refused);
  assert.equal(storage.addFlow({ name: 'x', content: '' }), 'x');
  // A flow that is already stored needs no slug.
  const json = '{"type": "Local", "directory": "/", "flows": {"日本": "/a.prefect"}}';
  assert.deepEqual(flowhold.LocalStorage.deserialize(json).flows, { 日本: '/a.prefect' });
  await assert.rejects(flowhold.loadReadings(), refused);
  // The readings can still be supplied.
  flowhold.supplyReadings(readFileSync(join(dist, 'readings.bin')));
  assert.equal(slug(flowhold, '日本'), 'ri-ben');
});

test('a file of another version, or a damaged one, gives no slugs', async () => {
  const flipped = readFileSync(join(dist, 'readings.bin'));
  flipped[flipped.length >> 1] ^= 1;
  const others = { flipped, short: flipped.subarray(0, 100), empty: '', page: '<!doctype html>' };
  for (const [name, content] of Object.entries(others)) {
    const flowhold = await copy(name, (file) => writeFileSync(file, content));
    const refused = { code: 'no-readings', message: /damaged/ };
    assert.throws(() => slug(flowhold, '日本'), refused);
    await assert.rejects(flowhold.loadReadings(), refused);
    assert.equal(slug(flowhold, 'x'), 'x');
  }
});

test('loaded ahead, the file is not needed again', async () => {
  const folder = join(copies, 'ahead');
  const flowhold = await copy('ahead', () => {});
  await flowhold.loadReadings();
  rmSync(join(folder, 'readings.bin'));
  assert.equal(slug(flowhold, '日本'), 'ri-ben');
});
