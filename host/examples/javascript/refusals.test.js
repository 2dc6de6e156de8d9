// What was not granted is refused with an answer; what stops one instance does not stop the next.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { folder } from './binary.js';
import { Blob } from './blob.js';
import { Failure } from './failure.js';
import { Grants } from './grants.js';
import { Host } from './host.js';
import { MemoryFiles } from './memory_files.js';
import { project } from './project.js';

const host = new Host();
const failure = (code) => (error) => error instanceof Failure && error.code === code;
const X = { name: 'new', content: Uint8Array.of(1) };

test('docker is refused with an answer', async (t) => {
  const cwd = folder(t);
  const text = project(cwd);
  const session = await host.session({ files: new Grants().grant(cwd) });
  const storage = session.storageOf(session.plan(text, { folder: cwd, needBytes: true }));
  assert.throws(() => storage.build(), (error) => failure('no-capability')(error) && error.kind === 'unavailable');
  assert.deepEqual(Object.keys(storage.flows()), ['etl', 'Nightly: é'], 'the instance still answers');
});

/** A Local storage with a flow `etl`, whether or not it is there. */
function storageIn(session, directory) {
  const location = `${directory}/etl.prefect`;
  const flows = { etl: location };
  return [session.deserialize(JSON.stringify({ type: 'Local', __version__: '0.6.6', directory, flows })), location];
}

test('nothing leads out of a grant', async (t) => {
  const cwd = folder(t);
  const inside = join(cwd, 'inside');
  mkdirSync(inside);
  writeFileSync(join(cwd, 'etl.prefect'), 'secret');
  symlinkSync(cwd, join(inside, 'link'));
  symlinkSync(join(cwd, 'etl.prefect'), join(inside, 'flow.prefect'));
  const grants = new Grants().grant(inside, { write: true });
  const session = await host.session({ files: grants });
  for (const directory of [cwd, `${inside}/..`, `${inside}/x/..`, `${inside}/link`, `${inside}/link/inside`, '/', `${inside}x`]) {
    const [storage, location] = storageIn(session, directory);
    assert.throws(() => storage.getFlow(location), failure('not-granted'), directory);
    assert.throws(() => storage.addFlow(X), failure('not-granted'), directory);
  }
  assert.throws(() => grants.open(join(inside, 'flow.prefect')), failure('not-granted'));
  assert.throws(() => grants.createDirectory(join(inside, 'link/deeper')), failure('not-granted'));
  assert.throws(() => grants.replace(join(inside, 'link/x'), new Blob(X.content)), failure('not-granted'));
  assert.deepEqual(readdirSync(cwd).sort(), ['etl.prefect', 'inside']);
});

test('nothing leads out of files in memory', async () => {
  const session = await host.session({ files: new MemoryFiles('/flows') });
  for (const directory of ['/', '/flows/..', '/flowsx', '/flows/../flowsx']) {
    const [storage, location] = storageIn(session, directory);
    assert.throws(() => storage.getFlow(location), failure('not-granted'), directory);
    assert.throws(() => storage.addFlow(X), failure('not-granted'), directory);
  }
  const nothing = await host.session();
  assert.throws(() => nothing.local('/flows').addFlow(X), failure('not-granted'));
});

test('reading is not writing', async (t) => {
  const cwd = folder(t);
  const session = await host.session({ files: new Grants().grant(cwd) });
  assert.throws(() => session.local(cwd).addFlow(X), failure('not-granted'));
  assert.deepEqual(readdirSync(cwd), []);
});

test('a source that was not granted is an error of the spec', async (t) => {
  const cwd = folder(t);
  const plan = (await host.session({ files: new Grants() })).plan(project(cwd), { folder: cwd });
  const errors = plan.diagnostics().filter(({ severity }) => severity === 'error');
  assert.equal(plan.digest(), undefined);
  assert.deepEqual([...new Set(errors.map(({ code }) => code))], ['not-granted']);
});

test('nothing is overwritten', (t) => {
  const directory = join(folder(t), 'not/there/yet');
  const [grants, memory] = [new Grants().grant(directory, { write: true }), new MemoryFiles('/flows')];
  for (const [files, place] of [[grants, directory], [memory, '/flows']]) {
    const path = `${place}/etl.prefect`;
    const content = () => String.fromCharCode(...files.open(path).bytes());
    files.createDirectory(place);
    assert.throws(() => files.open(path), failure('missing-file'));
    assert.equal(files.create(path, new Blob(Uint8Array.of(65))), true);
    assert.equal(files.create(path, new Blob(Uint8Array.of(66))), false);
    assert.equal(content(), 'A');
    files.replace(path, new Blob(Uint8Array.of(67)));
    assert.equal(content(), 'C');
    const all = [path, `${place}/other`].map((path) => [path, new Blob(Uint8Array.of(68))]);
    assert.deepEqual(files.createAll(all), [false, true]);
    assert.equal(content(), 'C');
    assert.deepEqual(files.entries(place), ['etl.prefect', 'other'], 'nothing unfinished is left');
  }
});

test('a pipe is no flow, and a file stays as it was', async (t) => {
  const cwd = folder(t);
  const [pipe, large] = [join(cwd, 'pipe'), join(cwd, 'large')];
  execFileSync('mkfifo', [pipe]);
  writeFileSync(large, Buffer.alloc(2 << 20));
  const grants = new Grants().grant(cwd);
  assert.throws(() => grants.open(pipe), failure('file-error'));
  const blob = grants.open(large);
  writeFileSync(large, 'smaller');
  assert.throws(() => blob.read(0n, 1), failure('file-error'));
});

test('after a trap, that instance answers no more, and the next one does', async () => {
  // The memory is used up, as a component would that never ends.
  const full = async (module, imports) => {
    const instance = await WebAssembly.instantiate(module, imports);
    const { memory } = instance.exports;
    if (memory instanceof WebAssembly.Memory) memory.grow(65536 - memory.buffer.byteLength / 65536);
    return instance;
  };
  const session = await host.session({ core: full });
  const trapped = (error) => failure('core-stopped')(error) && error.cause instanceof WebAssembly.RuntimeError;
  assert.throws(() => session.plan('#'.repeat(8 << 20)), trapped);
  assert.throws(() => session.bytes(), failure('core-stopped'));
  assert.deepEqual((await host.session()).bytes().flows(), {});
});

test('a bug of the host stops the instance, and is told', async () => {
  const session = await host.session({ files: { entries: () => [], open() { throw new RangeError('a bug'); } } });
  const [storage, location] = storageIn(session, '/flows');
  assert.throws(() => storage.getFlow(location), (error) => failure('core-stopped')(error) && error.cause instanceof RangeError);
  assert.throws(() => session.bytes(), failure('core-stopped'));
  assert.deepEqual((await host.session()).bytes().flows(), {});
});

test('every handle comes back', async (t) => {
  const cwd = folder(t);
  const dispose = Symbol.dispose ?? Symbol.for('dispose');
  let [made, dropped] = [0, 0];
  class Counted extends Blob {
    share() {
      made += 1;
      return new Counted(this.source);
    }

    [dispose]() {
      dropped += 1;
    }
  }
  const grants = new Grants().grant(cwd, { write: true });
  const session = await host.session({ files: grants });
  for (const storage of [session.bytes(), session.local(cwd)]) {
    storage.ask('addFlow', { name: 'etl', format: 'script', content: new Counted(X.content) });
    assert.throws(() => storage.ask('addFlow', { name: 'etl', format: 'script', content: new Counted(X.content) }), failure('duplicate-flow'));
    storage.dispose();
  }
  assert.equal(dropped, 4 + made);
});
