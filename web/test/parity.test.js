// The package says what the binary says, to the letter: for every fixture, and for 1,000 generated specs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { preview } from '../dist/node.js';
import { asPrinted, fixtures, previews } from './binary.js';
import { generate } from './generate.js';

async function compare(names, texts) {
  const { results, options } = await previews(texts);
  const wrong = texts.filter((text, index) => {
    const ours = JSON.stringify(asPrinted(preview(text, options)));
    return ours !== JSON.stringify(results[index]);
  });
  assert.deepEqual(wrong, [], `${wrong.length} of ${names} differ`);
  return results;
}

test('fixtures', async () => {
  const all = fixtures();
  const results = await compare('fixtures', all.map((fixture) => fixture.text));
  assert.ok(results.length > 30);
});

test('1,000 generated specs', async () => {
  const results = await compare('generated specs', generate(1000));
  // If no spec had a plan, or no spec were wrong, the comparison would prove nothing.
  const planned = results.filter((result) => result.plan !== null).length;
  const codes = new Set(results.flatMap((result) => result.diagnostics.map((one) => one.code)));
  assert.ok(planned > 300, `${planned} have a plan`);
  assert.ok(codes.size > 18, `${[...codes]}`);
});

test('a spec as object is the spec as text', () => {
  for (const { name, text } of fixtures().filter((fixture) => fixture.name.endsWith('.json'))) {
    let object;
    try {
      object = JSON.parse(text);
    } catch {
      continue;
    }
    // An object has no key twice.
    if (name === 'duplicate-keys.json') continue;
    assert.deepEqual(preview(object), preview(JSON.stringify(object)), name);
  }
});
