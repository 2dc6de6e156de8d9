// The example policy in the npm package, by way of jco: its verdicts are those that the binary prints.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import * as flowhold from '../../../web/dist/node.js';
import { fixtures, folder, preview } from './binary.js';
import { open } from './browser.js';
import { judging } from './generated/deny/deny.js';

const REFUSED = `policies = ["deny.wasm"]
[storage]
type = "docker"
base_image = "ghcr.io/x/python"
registry_url = "registry.example.com/team"
image_name = "etl"
python_dependencies = ["six>=1"]
[storage.env_vars]
MODE = "it's $HOME"
API_TOKEN = "hush"
WORD = "ghp_0123"
`;
const FLOW = `[[flows]]\npath = "etl.py"\nsize = 1\nsha256 = "${'0'.repeat(64)}"\n`;
const SPECS = [
  ...fixtures().map(({ text }) => text),
  REFUSED,
  REFUSED.replace('ghcr.io/x/python', 'python:3.11').replace('.com', '.org').replace(/API_TOKEN.*\nWORD.*/, ''),
  REFUSED.replace('ghcr.io/x/python', `python@sha256:${'0'.repeat(64)}`),
  REFUSED.replace('ghcr.io/x/python', 'localhost:5000/x:latest').replace('"deny.wasm"', ''),
  `${REFUSED}${FLOW}`,
  `[storage]\ntype = "bytes"\n${FLOW}`,
];

/** What the binary prints of each spec, and the folder in which it ran. */
function printed(t) {
  const cwd = folder(t);
  copyFileSync('deny.wasm', join(cwd, 'deny.wasm'));
  // A spec that names it needs no option.
  const results = SPECS.map((text) => preview(cwd, text, ...(text.includes('deny.wasm') ? [] : ['--policy', 'deny.wasm'])));
  // Specs that nobody denies, or that are all denied, would prove nothing.
  const said = new Set(results.flatMap(({ diagnostics }) => diagnostics.filter(({ policy }) => policy).map(({ code }) => code)));
  assert.deepEqual([...said].sort(), ['foreign-registry', 'no-latest', 'secret-in-variable']);
  assert.ok(results.filter(({ plan }) => plan !== null).length > 5);
  return { cwd, results };
}

const asPrinted = ({ plan, image, dockerfile, sourceMap, ...rest }) => ({ plan, image, dockerfile, source_map: sourceMap, ...rest });

test('a policy judges alike in Node and in the binary', (t) => {
  const { cwd, results } = printed(t);
  const options = { home: cwd, folder: cwd, policies: { 'deny.wasm': judging.judge } };
  for (const [index, text] of SPECS.entries()) {
    assert.deepEqual(asPrinted(flowhold.preview(text, options)), results[index], text);
  }
});

test('a policy judges alike in Chromium and in the binary', { timeout: 90_000 }, async (t) => {
  const { cwd, results } = printed(t);
  const { page, errors } = await open(t);
  const seen = await page.evaluate(async ({ specs, cwd }) => {
    const { preview } = await import('/package/index.js');
    const { judging } = await import('/generated/deny/deny.js');
    const options = { home: cwd, folder: cwd, policies: { 'deny.wasm': judging.judge } };
    return specs.map((text) => preview(text, options));
  }, { specs: SPECS, cwd });
  for (const [index, text] of SPECS.entries()) assert.deepEqual(asPrinted(seen[index]), results[index], text);
  assert.deepEqual(errors, []);
});
