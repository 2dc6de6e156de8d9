// The package as others get it: it installs without anything else, runs, and its types are sound.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keys, places, preview } from '../dist/node.js';
import { fixtures, flowhold } from './binary.js';
import { install, run } from './browser/installed.js';

const TSC = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const SPEC = '[storage]\ntype = "memory"\n';

/** @type {Awaited<ReturnType<typeof install>>} */
let installed;
before(async () => {
  installed = await install();
}, { timeout: 120_000 });
after(() => installed?.remove());

test('nothing else is installed with it', () => {
  const found = readdirSync(join(installed.project, 'node_modules')).filter((name) => !name.startsWith('.'));
  assert.deepEqual(found, ['flowhold']);
  const { dependencies, peerDependencies, optionalDependencies, scripts } = JSON.parse(
    readFileSync(join(installed.project, 'node_modules/flowhold/package.json'), 'utf8'),
  );
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined]);
  // npm runs these on the user's machine.
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(scripts?.[name], undefined);
});

test('it has what it needs, and nothing of how it is made', () => {
  const names = installed.packed.files.map((file) => file.path).sort();
  for (const name of ['package.json', 'dist/index.js', 'dist/node.js', 'dist/index.d.ts', 'dist/flowhold_bg.wasm']) {
    assert.ok(names.includes(name), name);
  }
  assert.deepEqual(names.filter((name) => !/^(package\.json|README\.md|LICENSE|dist\/[\w.]+)$/.test(name)), []);
  for (const name of names.filter((one) => /\.(js|ts|json|md)$/.test(one))) {
    const text = readFileSync(join(installed.project, 'node_modules/flowhold', name), 'utf8');
    assert.doesNotMatch(text, /\/(home|root|work|Users)\/[\w.-]+\/(?!\.prefect)/, `${name} has a path of the machine that built it`);
  }
});

test('what its README leads to is in it', () => {
  const text = readFileSync(join(installed.project, 'node_modules/flowhold/README.md'), 'utf8');
  const files = installed.packed.files.map((file) => file.path);
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link).filter((link) => !/^(https:|#)/.test(link));
  assert.deepEqual(links.filter((link) => !files.includes(link)), []);
});

test('it runs in Node', { timeout: 60_000 }, async () => {
  installed.write('use.js', `
    import { FlowholdError, preview, resolve } from 'flowhold';
    import { readFile } from 'node:fs/promises';
    const { plan } = preview(${JSON.stringify(SPEC)});
    let code;
    try { resolve('['); } catch (error) { code = error instanceof FlowholdError && error.code; }
    const module = await readFile(new URL(import.meta.resolve('flowhold/flowhold.wasm')));
    console.log(JSON.stringify({ plan, code, wasm: WebAssembly.validate(module) }));
  `);
  const printed = JSON.parse(await run(process.execPath, ['use.js'], installed.project));
  const host = JSON.parse((await flowhold(['preview', '--format', 'json', '-f', '-'], { cwd: tmpdir(), input: SPEC })).stdout);
  assert.deepEqual(printed, { plan: host.plan, code: 'syntax', wasm: true });
});

const CONSUMER = `
import {
  BytesStorage, DockerStorage, FlowholdError, Sha256, archive, check, keys, places, preview, resolve, serialize,
  type BuildPlan, type ContextEntry, type Diagnostic, type FileInput, type Flow, type ForecastStep, type Image, type Key, type Options, type Place,
  type Policy, type Preview, type SourceLine, type Spec, type Step, type Verdict,
} from 'flowhold';

const spec: Spec = { storage: { type: 'docker' }, flows: [{ path: 'a.py' }] };
const files: Record<string, FileInput> = {
  'a.py': new Uint8Array(1), '/b': { content: new Uint8Array(1), mode: 0o755 }, '/c': { size: 1, sha256: '0'.repeat(64) },
};
const first: Preview = preview(spec);
const tagged = ({ baseImage, context, flows }: BuildPlan): Verdict[] => {
  const largest: bigint | null | undefined = context[0]?.size;
  const [name, location] = flows[0] ?? ['', ''];
  if (baseImage?.tag) return [];
  return [{ code: 'no-tag', severity: 'error', field: 'storage.base_image', message: [baseImage?.reference, largest, name, location].join() }];
};
/** What jco declares for a component: \`option<string>\` is a property that may be missing. */
interface JcoPlan {
  storage: string; digest?: string; dockerfile?: string;
  baseImage?: { reference: string; registry: string; repository: string; tag?: string; digest?: string };
  image?: { registry?: string; name?: string; tag?: string; reference?: string };
  requirements: { name: string; text: string; field: string }[];
  variables: { name: string; value: string; field: string }[];
  copies: { source: string; destination: string; field: string }[];
  context: { path: string; size?: bigint; sha256?: string; mode: number; link?: string }[];
  flows: Array<[string, string]>;
}
interface JcoVerdict { code: string; severity: 'error' | 'warning' | 'info'; field: string; message: string; help?: string }
declare const judging: { judge: (plan: JcoPlan) => JcoVerdict[] };
const policies: Record<string, Policy> = { tagged, silent: () => [], 'deny.wasm': judging.judge };
const options: Options = { files, home: '/root', folder: '/', python: { version: '3.11' }, uuid: () => 'x', now: 0, policies, since: first };
const seen: Preview = preview('', options);
const plan: string | null = seen.plan;
const image: Image | null = seen.image;
const lines: SourceLine[] = seen.sourceMap;
const steps: Step[] = seen.steps;
const forecast: ForecastStep[] | undefined = seen.forecast;
const entries: ContextEntry[] = seen.context;
const size: number | null | undefined = entries[0]?.size;
const location: string | undefined = seen.flows['a'];
const found: Diagnostic[] = check(spec, options);
const severity: 'error' | 'warning' | 'info' | undefined = found[0]?.severity;
const judge: string | undefined = found[0]?.policy;
const known: Key[] = keys();
const where: Place[] = places('');
const texts: string[] = [resolve(spec, options), serialize(spec), new Sha256().hex()];
const parts: (Uint8Array | { size: number; sha256: string })[] = archive(spec, options);
const tar = new Blob(archive(spec, options).map((part) => (part instanceof Uint8Array ? part : 'its bytes')));
const flow: Flow = { name: 'a', content: 'print()' };
const storage = new DockerStorage({ image_name: 'etl' });
const added: string = storage.addFlow(flow);
const content: Uint8Array = storage.getFlow(added).content;
const read: BytesStorage = BytesStorage.deserialize(storage.snapshot());
const bytes = new Blob([storage.snapshot(), storage.getFlow(added).content]);
const built: Promise<{ plan: string }> = storage.build();
try {
  resolve(spec);
} catch (error) {
  if (error instanceof FlowholdError) {
    const said: [string, string | null, string | null] = [error.code, error.field, error.help];
    const kind: 'input' | 'unavailable' | 'retry' | 'interrupted' = error.kind;
    console.log(said, kind, error.message, error.stack);
  }
}
console.log(plan, image, lines, steps, forecast, size, location, severity, judge, known, where, texts, parts, tar, content, read, bytes, built);

// @ts-expect-error a spec is no number
preview(1);
// @ts-expect-error no such option
preview(spec, { fils: {} });
// @ts-expect-error a file is bytes, not text
preview(spec, { files: { 'a.py': 'print()' } });
// @ts-expect-error a policy answers at once
preview(spec, { policies: { late: async () => [] } });
// @ts-expect-error a verdict has a severity
preview(spec, { policies: { mild: () => [{ code: 'x', field: '', message: '' }] } });
// @ts-expect-error a flow has a name
storage.addFlow({ content: '' });
// @ts-expect-error no such field
seen.dockerFile;
`;

/** Results as literals: a field that the types lack, or that they require but a result lacks, is an error. */
function literals() {
  const spec = '[storage]\ntype = "docker"\nbase_image = "python"\nenv_vars = { A = "1" }\n[[flows]]\npath = "a.py"\n';
  const policies = { ours: () => [{ code: 'odd', severity: 'info', field: 'storage', message: 'odd' }] };
  const previews = [spec, SPEC, 'odd = 1'].map((text) => preview(text, { policies, since: preview(spec), files: { 'a.py': new Uint8Array(1) } }));
  previews.push(...fixtures().map(({ text }) => preview(text)));
  const literal = (type, values) => values.map((value) => `(${JSON.stringify(value)}) satisfies ${type};`).join('\n');
  return [literal('Preview', previews), literal('Key', keys()), literal('Place', places(spec))].join('\n');
}

for (const [name, settings] of Object.entries({
  'in Node': { module: 'nodenext', target: 'es2022' },
  'with a bundler': { module: 'esnext', moduleResolution: 'bundler', target: 'es2022', lib: ['es2022', 'dom'] },
  'with the newest library': { module: 'nodenext', target: 'esnext' },
})) {
  test(`its types are sound and strict ${name}`, { timeout: 120_000 }, async () => {
    installed.write('consumer.ts', CONSUMER + literals());
    const compilerOptions = {
      ...settings, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true, types: [],
    };
    installed.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    await run(process.execPath, [TSC, '--project', '.'], installed.project);
  });
}
