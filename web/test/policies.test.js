// Policies in the package: what they are told of a plan, and what their verdicts do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FlowholdError, archive, check, preview, resolve, serialize } from '../dist/node.js';

const SPEC = `[storage]
type = "docker"
registry_url = "localhost:5000/team"
base_image = "localhost:5000/team/python:3.11"
python_dependencies = ["Requests>=2"]
image_name = "etl"
image_tag = "1"
files = { "/app.conf" = "/etc/app.conf" }
env_vars = { MODE = "a b", PIP_INDEX_URL = "https://index" }

[[flows]]
path = "etl.py"
name = "10"

[[flows]]
path = "load.py"
name = "9"
`;
const NAMED = `policies = ["deny.wasm"]\n${SPEC}`;
const FLOW = new TextEncoder().encode('print()\n');
const FILES = { 'etl.py': FLOW, 'load.py': FLOW, '/app.conf': new Uint8Array(3) };

const VERDICT = { code: 'no-mode', severity: 'error', field: 'storage.env_vars.MODE', message: 'no', help: 'leave it out' };

/** The preview of a spec that this policy judges. */
function judged(policy, { spec = SPEC, files = FILES } = {}) {
  return preview(spec, { files, policies: { deny: policy } });
}

/** The plan that a policy is told. */
function told(spec, options) {
  let plan;
  preview(spec, { ...options, policies: { spy: (given) => { plan = given; return []; } } });
  assert.ok(plan, 'the policy was not asked');
  return plan;
}

test('a policy is told the plan', () => {
  const plan = told(SPEC, { files: FILES });
  const { digest, dockerfile, context, copies, requirements, ...rest } = plan;
  const shown = preview(SPEC, { files: FILES });
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual([digest, dockerfile], [shown.plan, shown.dockerfile]);
  assert.deepEqual(rest, {
    storage: 'docker',
    baseImage: { reference: 'localhost:5000/team/python:3.11', registry: 'localhost:5000', repository: 'team/python', tag: '3.11', digest: null },
    image: { registry: 'localhost:5000/team', name: 'etl', tag: '1', reference: 'localhost:5000/team/etl:1' },
    // In the order of the Dockerfile: variables that installers read come first.
    variables: [
      { name: 'PIP_INDEX_URL', value: 'https://index', field: 'storage.env_vars.PIP_INDEX_URL' },
      { name: 'MODE', value: 'a b', field: 'storage.env_vars.MODE' },
    ],
    // The keys of an object would be in the order 9, 10.
    flows: [['10', '/root/.prefect/10.prefect'], ['9', '/root/.prefect/9.prefect']],
  });
  assert.deepEqual(requirements[0], { name: 'requests', text: 'Requests>=2', field: 'storage.python_dependencies[0]' });
  const copied = copies.find((copy) => copy.destination === '/etc/app.conf');
  assert.deepEqual(copied?.field, 'storage.files["/app.conf"]');
  assert.ok(dockerfile.includes(copied.source));
  assert.deepEqual(context, shown.context.map((entry) => ({ link: null, ...entry, size: BigInt(entry.size) })));
  assert.ok(context.some((entry) => entry.size === 8n && entry.sha256.length === 64 && entry.mode === 0o644));
});

test('what is not known of a plan is null', () => {
  const open = told('[storage]\ntype = "docker"\nbase_image = "python"\nfiles = { "/app.conf" = "/etc/app.conf" }\n');
  assert.equal(open.digest, null);
  assert.deepEqual(open.baseImage, { reference: 'python', registry: 'docker.io', repository: 'library/python', tag: null, digest: null });
  assert.deepEqual(open.image, { registry: null, name: null, tag: null, reference: null });
  const entry = open.context.find(({ path }) => path.startsWith('files/'));
  assert.deepEqual([entry.size, entry.sha256, entry.link], [null, null, null]);
  const { digest, ...memory } = told('[storage]\ntype = "memory"\n[[flows]]\npath = "etl.py"\n', { files: FILES });
  assert.match(digest, /^sha256:/);
  assert.deepEqual(memory, {
    storage: 'memory', baseImage: null, image: null, requirements: [], variables: [], copies: [], dockerfile: null, context: [], flows: [['etl', 'etl']],
  });
});

test('an error of a policy is a diagnostic, and there is no plan', () => {
  const { plan, dockerfile, diagnostics } = judged(() => [VERDICT]);
  assert.deepEqual([plan, dockerfile], [null, null]);
  assert.deepEqual(diagnostics, [{ ...VERDICT, line: 9, policy: 'deny' }]);
  const options = { files: FILES, policies: { deny: () => [VERDICT] } };
  assert.deepEqual(check(SPEC, options), diagnostics);
  for (const refused of [resolve, serialize, archive]) {
    assert.throws(() => refused(SPEC, options), (error) => error instanceof FlowholdError && error.code === 'no-mode');
  }
});

test('anything else that a policy says leaves the plan', () => {
  const { plan } = preview(SPEC, { files: FILES });
  const { code, field, message } = VERDICT;
  for (const severity of ['warning', 'info']) {
    const one = judged(() => [{ code, severity, field, message }]);
    assert.equal(one.plan, plan);
    assert.deepEqual(one.diagnostics, [{ code, severity, field, message, help: null, line: 9, policy: 'deny' }]);
  }
  const elsewhere = judged(() => [{ ...VERDICT, severity: 'info', field: '' }, { ...VERDICT, severity: 'info', field: 'no.such["field"]' }]);
  assert.deepEqual(elsewhere.diagnostics.map(({ field, line }) => [field, line]), [['', undefined], ['no.such["field"]', undefined]]);
  assert.deepEqual([judged(() => []).plan, judged(() => []).diagnostics], [plan, []]);
});

test('a policy that does not judge is an error', async () => {
  const nonsense = {
    'it broke': () => { throw new RangeError('it broke'); },
    'no reason was given': () => { throw 'a text'; },
    'no list of verdicts': () => ({ length: 0 }),
    'no list': async () => [],
    list: () => undefined,
    'no code': () => [{ ...VERDICT, code: null }],
    'no message': () => [VERDICT, { ...VERDICT, message: undefined }],
    'no field': () => [{ ...VERDICT, field: undefined }],
    'is not a severity': () => [{ ...VERDICT, severity: '' }],
    '"fatal" is not a severity': () => [{ ...VERDICT, severity: 'fatal' }],
    'message is not a string': () => [{ ...VERDICT, message: 1 }],
    'help is not a string': () => [{ ...VERDICT, help: {} }],
    'not kebab-case': () => [{ ...VERDICT, code: 'No Mode' }],
    '1001 verdicts': () => Array(1001).fill(VERDICT),
    getter: () => [{ ...VERDICT, get message() { throw new Error('a getter'); } }],
    'list of verdicts': () => [null],
  };
  for (const [reason, policy] of Object.entries(nonsense)) {
    const { plan, diagnostics } = judged(policy);
    assert.deepEqual([plan, diagnostics.map(({ code, severity }) => [code, severity])], [null, [['policy-failed', 'error']]], reason);
    assert.ok(diagnostics[0].message.includes(reason), `${reason}: ${diagnostics[0].message}`);
    assert.ok(diagnostics[0].message.includes('deny'), diagnostics[0].message);
  }
});

test('what is no policy is refused', () => {
  for (const policies of [1, 'x', { deny: 1 }, { deny: { judge: () => [] } }, { deny: null }]) {
    assert.throws(() => preview(SPEC, { policies }), { name: 'FlowholdError', code: 'wrong-type' });
  }
});

test('a plan stays open until the policies that its spec names have judged it', () => {
  const open = preview(NAMED, { files: FILES });
  assert.equal(open.plan, null);
  assert.deepEqual(open.diagnostics.map(({ code, severity, field, line }) => [code, severity, field, line]), [['unjudged-plan', 'warning', 'policies[0]', 1]]);
  assert.deepEqual(judged(() => [], { spec: NAMED }).diagnostics.map(({ code }) => code), ['unjudged-plan']);
  const seen = preview(NAMED, { files: FILES, policies: { 'deny.wasm': () => [] } });
  assert.deepEqual([seen.diagnostics, seen.plan], [[], preview(SPEC, { files: FILES }).plan]);
  const failed = preview(NAMED, { files: FILES, policies: { 'deny.wasm': () => 1 } });
  assert.deepEqual(failed.diagnostics.map(({ code, field, line }) => [code, field, line]), [['policy-failed', 'policies[0]', 1]]);
  assert.throws(() => archive(NAMED, { files: FILES }), { name: 'FlowholdError', code: 'unjudged-plan' });
});

test('all policies are told the same plan, whatever others do with it', () => {
  const plans = [];
  const meddle = (plan) => {
    plans.push(structuredClone(plan));
    for (const key of ['baseImage', 'image']) plan[key].name = plan[key].registry = 'elsewhere';
    for (const key of ['context', 'flows', 'variables']) plan[key].length = 0;
    delete plan.digest;
    return [{ ...VERDICT, severity: 'warning' }];
  };
  const { plan, image, context, diagnostics } = preview(SPEC, { files: FILES, policies: { one: meddle, two: meddle } });
  assert.deepEqual(plans[0], plans[1]);
  assert.deepEqual(diagnostics.map(({ policy }) => policy), ['one', 'two']);
  const without = preview(SPEC, { files: FILES });
  assert.deepEqual([plan, image, context], [without.plan, without.image, without.context]);
});

test('a spec with mistakes is not judged', () => {
  const never = () => assert.fail('it was asked');
  assert.deepEqual(judged(never, { spec: SPEC.replace('base_image', 'baseimage') }).diagnostics.map(({ code }) => code), ['unknown-key']);
});
