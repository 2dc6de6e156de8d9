// The package in Node: its functions, its errors, and what it does with input that makes no sense.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import {
  BytesStorage, DockerStorage, FlowholdError, LocalStorage, MemoryStorage, Sha256, archive, check, keys, places, preview, resolve,
  serialize,
} from '../dist/node.js';
import { flowhold, folder } from './binary.js';

const FLOW = new TextEncoder().encode('print("hello")\n');
const SPEC = `[storage]
type = "docker"
base_image = "python:3.11-slim"
python_dependencies = ["six>=1"]
env_vars = { MODE = "it's $HOME" }

[[flows]]
path = "hello.py"
`;
const FILES = { 'hello.py': FLOW };

function thrown(act) {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof FlowholdError && error instanceof Error, String(error));
    return error;
  }
  assert.fail('nothing was thrown');
}

test('with the bytes at hand, everything is what the binary says', async () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'flowhold.toml'), SPEC);
  writeFileSync(join(cwd, 'hello.py'), FLOW);
  const options = { files: FILES, home: cwd, folder: cwd };
  const run = async (...args) => (await flowhold(args, { cwd })).stdout.trimEnd();
  const printed = JSON.parse(await run('preview', '--format', 'json'));
  assert.equal(preview(SPEC, options).plan, printed.plan);
  assert.equal(preview(SPEC, options).dockerfile, printed.dockerfile);
  assert.equal(resolve(SPEC, options), await run('preview', '--format', 'spec'));
  assert.equal(serialize(SPEC, options), await run('serialize', 'flowhold.toml'));
  const tar = (await flowhold(['dockerfile', '-'], { cwd, encoding: 'buffer' })).stdout;
  assert.ok(Buffer.concat(archive(SPEC, options)).equals(tar));
  // The resolved spec needs no bytes, and yields the same plan.
  assert.equal(preview(resolve(SPEC, options)).plan, printed.plan);
});

test('without the bytes the Dockerfile is there, and the plan stays open', () => {
  const seen = preview(SPEC, { files: FILES });
  const open = preview(SPEC);
  assert.equal(open.dockerfile, seen.dockerfile);
  assert.equal(open.plan, null);
  assert.deepEqual(open.diagnostics.map((one) => [one.code, one.severity, one.field, one.line]), [['unseen-source', 'warning', 'flows[0]', 7]]);
  const entry = open.context.find((one) => one.path === 'flows/hello.prefect');
  assert.deepEqual([entry?.size, entry?.sha256], [null, null]);
  assert.equal(thrown(() => resolve(SPEC)).code, 'unseen-source');
  assert.equal(thrown(() => archive(SPEC)).code, 'unseen-source');
  const stated = resolve(SPEC, { files: FILES });
  assert.equal(thrown(() => archive(stated)).code, 'no-content');
});

test('what the format is of a flow without extension, its first byte tells', () => {
  const spec = '[storage]\ntype = "docker"\n\n[[flows]]\npath = "nightly"\n';
  const format = (given) => JSON.parse(resolve(spec, { files: { nightly: given } })).flows[0].format;
  assert.equal(format(FLOW), 'script');
  assert.equal(format(Uint8Array.of(0x80, 4, 0x4e, 0x2e)), 'pickle');
  // If only size and digest are known, the format stays open until the spec states it.
  const given = { size: FLOW.length, sha256: createHash('sha256').update(FLOW).digest('hex') };
  const open = preview(spec, { files: { nightly: given } });
  assert.deepEqual([open.plan, open.diagnostics[0].code, open.diagnostics[0].field], [null, 'unseen-source', 'flows[0]']);
  const said = preview(`${spec}format = "script"\n`, { files: { nightly: given } });
  assert.equal(said.plan, preview(spec, { files: { nightly: FLOW } }).plan);
});

test('bytes with the stated digest and another size are not taken', () => {
  const pinned = resolve(SPEC, { files: FILES });
  const sized = pinned.replace(/"size":\s*(\d+)/, (_, size) => `"size":${Number(size) - 1}`);
  assert.notEqual(sized, pinned);
  assert.equal(thrown(() => archive(sized, { files: FILES })).code, 'source-changed');
  assert.equal(thrown(() => archive(sized, { files: { other: FLOW } })).code, 'no-content');
});

test('what the bytes are must be what the spec states', () => {
  const pinned = resolve(SPEC, { files: FILES });
  const other = preview(pinned, { files: { 'hello.py': new Uint8Array(3) } });
  assert.deepEqual(other.diagnostics.map((one) => one.code), ['source-changed']);
});

test('a directory in files is what was given below it', () => {
  const spec = '[storage]\ntype = "docker"\nfiles = { "/data" = "/opt/data" }\n';
  const files = { '/data/a.txt': FLOW, '/data/sub/b.sh': { content: FLOW, mode: 0o755 }, '/database': FLOW };
  const { context, dockerfile } = preview(spec, { files });
  assert.match(dockerfile ?? '', /COPY \["files\/0-data\/", "\/opt\/data\/"\]/);
  assert.deepEqual(context.map((entry) => [entry.path, entry.mode, entry.size]), [
    ['files/0-data', 0o755, 0], ['files/0-data/a.txt', 0o644, FLOW.length],
    ['files/0-data/sub', 0o755, 0], ['files/0-data/sub/b.sh', 0o755, FLOW.length],
  ]);
});

test('a file that is only described comes back in its place in the archive', () => {
  const sha256 = createHash('sha256').update(FLOW).digest('hex');
  const given = { size: FLOW.length, sha256, file: 'here a page has a File' };
  const parts = archive(SPEC, { files: { 'hello.py': given } });
  assert.equal(parts.filter((part) => part === given).length, 1);
  const whole = Buffer.concat(parts.map((part) => (part === given ? FLOW : part)));
  assert.ok(whole.equals(Buffer.concat(archive(SPEC, { files: FILES }))));
});

test('names that only a build chooses are null, or are passed in', () => {
  assert.deepEqual(preview(SPEC, { files: FILES }).image, { registry: null, name: null, tag: null, reference: null });
  let count = 0;
  const chosen = preview(SPEC, { files: FILES, uuid: () => `id-${count++}` });
  assert.deepEqual(chosen.image, { registry: null, name: 'id-0', tag: 'id-1', reference: 'id-0:id-1' });
  const byFlow = preview(SPEC.replace('[[', 'naming = "flow"\n[['), { files: FILES, uuid: 'x', now: 1571270400000 });
  assert.equal(byFlow.image?.reference, 'hello:2019-10-17t00-00-00-000z');
  const withoutUuid = preview(SPEC.replace('[[', 'naming = "flow"\n[['), { files: FILES, now: 1571270400000 });
  assert.deepEqual(withoutUuid.image, byFlow.image);
  assert.equal(preview(SPEC, { files: FILES, now: 1571270400000 }).image?.reference, null);
});

test('the forecast is a function of two previews', () => {
  const before = preview(SPEC, { files: FILES });
  const after = preview(SPEC, { files: { 'hello.py': new Uint8Array(1) }, since: before });
  const cached = after.forecast?.map((step) => step.cached);
  assert.deepEqual(cached, [true, true, true, true, true, true, false, false]);
  const printed = JSON.stringify({ dockerfile: before.dockerfile, context: before.context });
  assert.deepEqual(preview(SPEC, { files: FILES, since: printed }).forecast?.every((step) => step.cached), true);
  assert.equal(preview(SPEC).forecast, undefined);
  assert.equal(thrown(() => preview(SPEC, { since: 'rubbish' })).code, 'invalid-preview');
});

test('errors say what, where and what to do', () => {
  const error = thrown(() => resolve('[storage]\ntype = "dokcer"\n'));
  assert.equal(error.name, 'FlowholdError');
  assert.deepEqual([error.kind, error.code, error.field, error.help], ['input', 'invalid-value', 'storage.type', 'did you mean "docker"?']);
  assert.match(error.message, /dokcer/);
});

test('arguments of the wrong type are errors, and never anything else', () => {
  const circular = {};
  circular.self = circular;
  for (const spec of [1, null, undefined, true, () => 1, Symbol('x'), circular, { toJSON: () => { throw new Error('no'); } }, 10n]) {
    assert.equal(thrown(() => preview(spec)).code, 'wrong-type', String(spec?.toString?.()));
  }
  for (const options of [1, 'x', { files: 1 }, { files: 'x' }, { files: { a: 1 } }, { files: { a: {} } }, { files: { a: { size: -1, sha256: '' } } },
    { files: { a: { size: 1, sha256: 'no' } } }, { files: { a: { content: 'text' } } }, { home: 1 }, { now: -1 }, { now: 'x' }, { python: {} },
    { python: { version: '3.11.7' } }, { since: 5 }, { policy: {} }, { uuid: 1 }, { uuid: {} }, { uuid: 'Not A Name' }, { uuid: () => 1 }]) {
    const given = typeof options === 'object' ? { files: FILES, ...options } : options;
    assert.equal(thrown(() => preview(SPEC, given)).code, 'wrong-type', JSON.stringify(options));
  }
  for (const [spec, options, message] of [
    [SPEC, { policy: {} }, /^unknown option "policy"; expected one of files, home, folder, python, uuid, now, policies, since$/],
    [SPEC, 1, /^options must be an object$/],
    [SPEC, { files: 1 }, /^files must be an object: /],
    [SPEC, { files: FILES, uuid: 1 }, /^uuid must be a string or a function$/],
    [SPEC, { files: FILES, uuid: () => 'Not A Name' }, /^uuid must be a name for the image: .*"Not A Name"/],
    [1, {}, /^a spec must be a string or an object$/],
  ]) {
    assert.match(thrown(() => preview(spec, options)).message, message);
  }
  // Docker Hub takes no name of three parts.
  const acme = SPEC.replace('[[', 'registry_url = "docker.io/acme"\n[[');
  assert.match(thrown(() => preview(acme, { files: FILES, uuid: 'a/b' })).message, /^uuid must be a name for the image: /);
});

test('what an argument throws, and bytes that were transferred, are errors that leave the package usable', () => {
  const bytes = new Uint8Array(4);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  const refuse = { ownKeys() { throw new Error('mine'); } };
  const hash = new Sha256();
  // Each exception that passed through the module would use up one of its 1,024 slots for borrowed JavaScript values.
  for (let round = 0; round < 1100; round += 1) {
    for (const work of [
      () => preview(SPEC, { files: { 'hello.py': bytes } }),
      () => preview(SPEC, { files: { 'hello.py': { content: bytes } } }),
      () => preview(SPEC, { files: new Proxy({}, refuse) }),
      () => preview(SPEC, { policies: new Proxy({}, refuse) }),
      () => preview(SPEC, { get files() { throw new Error('mine'); } }),
      () => new DockerStorage(new Proxy({}, refuse)),
      () => hash.update(bytes),
      () => new BytesStorage().addFlow({ name: 'a', content: bytes }),
    ]) {
      const error = thrown(work);
      assert.deepEqual([error.name, error.code], ['FlowholdError', 'wrong-type'], String(work));
    }
  }
  assert.ok(preview(SPEC, { files: FILES }).plan);
});

test('so are they everywhere else', () => {
  const hash = new Sha256();
  for (const bytes of [new ArrayBuffer(1), 'abc', [1], null, undefined, 1]) {
    assert.equal(thrown(() => hash.update(/** @type {any} */ (bytes))).code, 'wrong-type', String(bytes));
  }
  assert.equal(hash.hex(), createHash('sha256').digest('hex'));
  for (const text of [null, undefined, 1, {}]) {
    assert.equal(thrown(() => places(/** @type {any} */ (text))).code, 'wrong-type', String(text));
    assert.equal(thrown(() => new LocalStorage(/** @type {any} */ (text))).code, 'wrong-type', String(text));
    assert.equal(thrown(() => new MemoryStorage().getFlow(/** @type {any} */ (text))).code, 'wrong-type', String(text));
  }
});

test('bytes that the module has no room for are refused', () => {
  // Such an array takes no memory until something is written to it.
  const bytes = new Uint8Array(2 ** 31);
  for (const given of [bytes, { content: bytes }]) {
    const error = thrown(() => preview(SPEC, { files: { 'hello.py': given } }));
    assert.deepEqual([error.code, /at most 1 GiB/.test(error.message)], ['wrong-type', true], error.message);
  }
});

test('hostile texts are diagnostics', () => {
  const deep = `a = ${'['.repeat(100_000)}`;
  for (const text of ['', '\0', '{', '[', deep, `{"a": ${'['.repeat(100_000)}`, '<script>alert(1)</script>', '\ufeff', 'é'.repeat(1_000_000)]) {
    assert.ok(check(text).length > 0, text.slice(0, 20));
  }
  // A lone surrogate is no Unicode; it becomes the replacement character.
  assert.ok(Array.isArray(check('a = "\ud800"')));
  const odd = preview({ flows: [{ name: '__proto__', size: 1, sha256: '0'.repeat(64) }], storage: { type: 'memory' } });
  assert.deepEqual(Object.entries(odd.flows), [['__proto__', '__proto__']]);
});

test('places are offsets into the text as JavaScript has it', () => {
  const text = '# 🚀 é\n[storage]\ntype = "docker"\npython_dependencies = ["é", "🚀", "x"]\nfiles."/a b" = "/c"\n';
  const found = Object.fromEntries(places(text).map(({ field, from, to }) => [field, text.slice(from, to)]));
  assert.deepEqual(found, {
    storage: '[storage]',
    'storage.type': 'type = "docker"',
    'storage.python_dependencies': 'python_dependencies = ["é", "🚀", "x"]',
    'storage.python_dependencies[0]': '"é"',
    'storage.python_dependencies[1]': '"🚀"',
    'storage.python_dependencies[2]': '"x"',
    'storage.files': 'files',
    'storage.files["/a b"]': '"/a b" = "/c"',
  });
  const [error, ...rest] = places('a = 1\nb = \n');
  assert.deepEqual([error.field, rest.length], ['', 0]);
  assert.ok(error.from >= 6);
  const json = '{\n "🚀": { "type" : "x" }, "flows": [ {}, 1 ] }';
  const inJson = Object.fromEntries(places(json).map(({ field, from, to }) => [field, json.slice(from, to)]));
  assert.deepEqual(inJson, {
    '🚀': '"🚀": { "type" : "x" }',
    '🚀.type': '"type" : "x"',
    flows: '"flows": [ {}, 1 ]',
    'flows[0]': '{}',
    'flows[1]': '1',
  });
  assert.deepEqual(places('{"a": }').map(({ field, from }) => [field, from]), [['', 6]]);
  assert.equal(check('{\n"storage": {\n"type": 1}}')[0].line, 3);
});

test('keys are those that the reader knows', () => {
  const known = keys();
  assert.deepEqual(known.find((key) => key.key === 'naming'), {
    table: 'storage', key: 'naming', type: 'string', values: ['uuid', 'flow', 'plan'], storage: 'docker',
    doc: known.find((key) => key.key === 'naming')?.doc,
  });
  assert.ok(known.every((key) => key.doc.endsWith('.')));
});

test('sha256 of a stream is that of the whole', () => {
  const bytes = readFileSync(new URL('../dist/flowhold_bg.wasm', import.meta.url));
  const hash = new Sha256();
  for (let at = 0; at < bytes.length; at += 10_007) hash.update(bytes.subarray(at, at + 10_007));
  assert.equal(hash.hex(), createHash('sha256').update(bytes).digest('hex'));
});
