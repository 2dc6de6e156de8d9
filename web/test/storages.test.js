// The storages of the specification as classes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { BytesStorage, DockerStorage, FlowholdError, LocalStorage, MemoryStorage } from '../dist/node.js';

const VECTORS = new URL('../../tests/vectors/storage-json/', import.meta.url);
const vector = (name) => readFileSync(new URL(name, VECTORS), 'utf8');

/** Whether an error is a FlowholdError with this code. */
const failure = (code) => (error) => error instanceof FlowholdError && error.code === code;

test('every storage keeps flows under unique names', () => {
  for (const [storage, location] of [
    [new MemoryStorage(), 'Nightly Report'],
    [new BytesStorage(), 'Nightly Report'],
    [new DockerStorage(), '/root/.prefect/nightly-report.prefect'],
  ]) {
    assert.equal(storage.addFlow({ name: 'Nightly Report', content: 'print()' }), location);
    assert.deepEqual(storage.flows, { 'Nightly Report': location });
    assert.deepEqual(['Nightly Report', 'other', 1, null, undefined, {}].map((name) => storage.contains(name)),
      [true, false, false, false, false, false]);
    const flow = storage.getFlow(location);
    assert.deepEqual([flow.name, flow.format, new TextDecoder().decode(flow.content)], ['Nightly Report', 'script', 'print()']);
    assert.throws(() => storage.addFlow({ name: 'Nightly Report', content: 'x' }), failure('duplicate-flow'));
    assert.throws(() => storage.getFlow('elsewhere'), failure('flow-not-found'));
    assert.throws(() => storage.addFlow({ name: '..', content: 'x' }), failure('flow-name'));
    for (const flow of [null, {}, { name: 'x' }, { name: 1, content: 'x' }, { name: 'x', content: 1 }]) {
      assert.throws(() => storage.addFlow(/** @type {any} */ (flow)), failure('wrong-type'), JSON.stringify(flow));
    }
    assert.throws(() => storage.addFlow(/** @type {any} */ ({ name: 'x', content: 'x', format: 'wasm' })), failure('invalid-value'));
  }
});

test('what the original serialized comes back equal', () => {
  for (const [name, read] of [
    ['bytes-one-flow.json', BytesStorage], ['docker-empty.json', DockerStorage], ['docker-two-flows.json', DockerStorage],
    ['local-one-flow.json', LocalStorage], ['memory.json', MemoryStorage],
  ]) {
    const text = vector(name);
    assert.deepEqual(JSON.parse(read.deserialize(text).serialize()), JSON.parse(text), name);
    assert.deepEqual(JSON.parse(read.deserialize(JSON.parse(text)).serialize()), JSON.parse(text), name);
    const snapshot = read.deserialize(text).snapshot();
    assert.ok(snapshot instanceof Uint8Array);
    assert.deepEqual(JSON.parse(read.deserialize(snapshot).serialize()), JSON.parse(text), name);
  }
  assert.throws(() => MemoryStorage.deserialize(vector('docker-empty.json')), failure('wrong-type'));
});

test('damaged storages are errors', () => {
  const storage = new BytesStorage();
  storage.addFlow({ name: 'é', content: Uint8Array.of(0x80, 4, 1) });
  const snapshot = storage.snapshot();
  for (let end = 0; end < snapshot.length; end++) {
    assert.throws(() => BytesStorage.deserialize(snapshot.slice(0, end)), FlowholdError);
  }
  for (let at = 0; at < snapshot.length; at++) {
    const broken = snapshot.slice();
    broken[at] ^= 0xff;
    try {
      BytesStorage.deserialize(broken);
    } catch (error) {
      assert.ok(error instanceof FlowholdError, String(error));
    }
  }
  for (const text of ['', '{}', '[]', '{"type": "Bytes", "flows": {"a": "!"}}', '{"type": 1}', 'x'.repeat(1000)]) {
    assert.throws(() => BytesStorage.deserialize(text), failure('invalid-storage'), text);
  }
});

test('what this host lacks is refused', async () => {
  const docker = new DockerStorage({ image_name: 'etl', image_tag: 'v1', registry_url: 'localhost:5000/acme' });
  assert.equal(docker.name, 'localhost:5000/acme/etl:v1');
  const refused = (error) => failure('no-capability')(error) && error.kind === 'unavailable' && /this host has no docker/.test(error.message);
  await assert.rejects(docker.build(), refused);
  const local = new LocalStorage('/srv/flows');
  assert.equal(local.name, '/srv/flows');
  await assert.rejects(local.build(), failure('no-capability'));
  assert.throws(() => local.addFlow({ name: 'x', content: 'x' }), failure('no-capability'));
  const read = LocalStorage.deserialize(vector('local-one-flow.json'));
  assert.throws(() => read.getFlow(Object.values(read.flows)[0]), failure('no-capability'));
  assert.throws(() => new DockerStorage().name, failure('no-image-name'));
  assert.throws(() => new DockerStorage({ image_nam: 'x' }), failure('unknown-key'));
});

test('storages that need nothing build', async () => {
  for (const storage of [new MemoryStorage(), new BytesStorage()]) {
    storage.addFlow({ name: 'etl', content: 'print()' });
    const report = await storage.build();
    assert.match(report.plan, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual([report.image, report.pushed, report.flows], [null, false, { etl: 'etl' }]);
  }
});
