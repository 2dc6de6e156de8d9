// This host does in Node what the binary does.
import assert from 'node:assert/strict';
import { lstatSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fixtures, flowhold, folder, preview } from './binary.js';
import { Failure } from './failure.js';
import { Grants } from './grants.js';
import { Host } from './host.js';
import { BYTES, FLOWS, MODEL, project } from './project.js';

const host = new Host();
const failure = (code) => (error) => error instanceof Failure && error.code === code;

test('every spec of the fixtures is previewed alike', async (t) => {
  const cwd = folder(t);
  let planned = 0;
  for (const { name, text } of fixtures()) {
    const plan = (await host.session()).plan(text, { folder: cwd, home: cwd });
    const printed = preview(cwd, text);
    assert.deepEqual(JSON.parse(plan.toJson()), printed, name);
    assert.equal(plan.digest() ?? null, printed.plan, name);
    planned += printed.plan === null ? 0 : 1;
  }
  assert.ok(planned > 5, `${planned} have a plan`);
});

test('files on disk are previewed and packed alike', async (t) => {
  const cwd = folder(t);
  const text = project(cwd);
  const plan = (await host.session({ files: new Grants().grant(cwd) })).plan(text, { folder: cwd, home: cwd });
  assert.deepEqual(JSON.parse(plan.toJson()), preview(cwd, text));
  assert.match(plan.digest(), /^sha256:[0-9a-f]{64}$/);
  assert.equal(plan.dockerfile().trimEnd(), String(flowhold(cwd, ['preview', '-f', '-'], text)).trimEnd());
  const context = Buffer.concat(plan.archive());
  assert.ok(context.equals(flowhold(cwd, ['dockerfile', '-', '-f', '-'], text)));
  assert.ok(context.includes(MODEL));
});

test('a resolved spec needs no files', async (t) => {
  const cwd = folder(t);
  const session = await host.session({ files: new Grants().grant(cwd) });
  const plan = session.plan(project(cwd), { folder: cwd, home: cwd });
  const again = (await host.session()).plan(plan.spec(), { folder: cwd, home: cwd });
  assert.equal(again.digest(), plan.digest());
  assert.throws(() => again.archive(), failure('no-content'));
  const complete = session.plan(plan.spec(), { folder: cwd, home: cwd, needBytes: true });
  assert.ok(Buffer.concat(complete.archive()).equals(Buffer.concat(plan.archive())));
});

test('an object that is to be pickled stays open', async (t) => {
  const text = '[storage]\ntype = "docker"\n[[flows]]\npath = "etl.py"\nobject = "flow"\nname = "etl"\n';
  const plan = (await host.session()).plan(text, { folder: folder(t) });
  assert.equal(plan.digest(), undefined);
  assert.match(plan.dockerfile(), /^FROM /);
});

test('bytes: serialized alike, and back', async (t) => {
  const cwd = folder(t);
  project(cwd);
  writeFileSync(join(cwd, 'flowhold.toml'), BYTES);
  const storage = (await host.session()).bytes();
  for (const flow of FLOWS) assert.equal(storage.addFlow(flow), flow.name);
  const serialized = storage.serialize();
  const snapshot = storage.snapshot();
  assert.equal(`${serialized}\n`, String(flowhold(cwd, ['serialize', 'flowhold.toml'])));
  assert.ok(flowhold(cwd, ['serialize', 'flowhold.toml', '--to', 'snapshot']).equals(snapshot));
  assert.equal(`${serialized}\n`, String(flowhold(cwd, ['serialize', '-'], snapshot)));
  for (const again of [serialized, snapshot]) {
    const read = (await host.session()).deserialize(again);
    assert.deepEqual(FLOWS.map((flow) => read.getFlow(flow.name)), FLOWS);
  }
  const session = await host.session();
  assert.throws(() => session.deserialize(snapshot.subarray(1)), failure('invalid-storage'));
});

test('docker: serialized alike', async (t) => {
  const cwd = folder(t);
  const text = project(cwd);
  writeFileSync(join(cwd, 'flowhold.toml'), text);
  const session = await host.session({ files: new Grants().grant(cwd) });
  const storage = session.storageOf(session.plan(text, { folder: cwd, home: cwd, needBytes: true }));
  assert.equal(`${storage.serialize()}\n`, String(flowhold(cwd, ['serialize', 'flowhold.toml'])));
});

test('local: the same files, and each reads what the other wrote', async (t) => {
  const cwd = folder(t);
  project(cwd);
  const [ours, theirs] = [join(cwd, 'ours'), join(cwd, 'theirs')];
  flowhold(cwd, ['add', 'etl.py', '--directory', theirs]);
  flowhold(cwd, ['add', 'etl.pkl', '--name', 'Nightly: é', '--directory', theirs]);
  const session = await host.session({ files: new Grants().grant(ours, { write: true }).grant(theirs) });
  const storage = session.local(ours);
  for (const flow of FLOWS) {
    assert.ok(storage.addFlow(flow).startsWith(`${ours}/`));
    assert.ok(flowhold(cwd, ['get', flow.name, '--directory', ours]).equals(flow.content));
  }
  assert.deepEqual(filesIn(ours), filesIn(theirs));
  assert.deepEqual({ flows: storage.flows() }, JSON.parse(String(flowhold(cwd, ['ls', '--format', 'json', '--directory', ours]))));
  const read = session.local(theirs);
  assert.deepEqual(FLOWS.map((flow) => read.getFlow(read.flows()[flow.name])), FLOWS);
  assert.throws(() => storage.addFlow({ name: 'etl', content: Uint8Array.of(1) }), failure('duplicate-flow'));
  assert.deepEqual(filesIn(ours), filesIn(theirs));
});

function filesIn(directory) {
  const paths = readdirSync(directory, { recursive: true }).map(String).sort();
  const files = paths.map((path) => [path, lstatSync(join(directory, path))]).filter(([, status]) => status.isFile());
  return files.map(([path, status]) => [path, status.mode, readFileSync(join(directory, path), 'hex')]);
}
