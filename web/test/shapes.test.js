// The TypeScript types of results are written beside the code that makes them: here they are compared.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { keys, places, preview } from '../dist/node.js';

const types = readFileSync(new URL('../dist/index.d.ts', import.meta.url), 'utf8');

/** The fields of an interface, and whether each may be missing. */
function fields(name) {
  const [, body] = types.match(new RegExp(`export interface ${name} \\{\\n([^}]*)\\}`)) ?? assert.fail(`no type ${name}`);
  const code = body.replace(/\/\*\*[^]*?\*\//g, '');
  return [...code.matchAll(/^ {4}(\w+)(\??): (.*);$/gm)].map(([, field, optional, type]) => ({ field, optional: optional === '?', type }));
}

function check(name, values) {
  const known = fields(name);
  assert.ok(values.length > 0, `no ${name} to compare with`);
  for (const value of values) {
    const missing = known.filter(({ field, optional }) => !optional && !(field in value));
    const unknown = Object.keys(value).filter((field) => !known.some((one) => one.field === field));
    assert.deepEqual([missing, unknown], [[], []], `${name} ${JSON.stringify(value)}`);
    for (const { field, type } of known.filter(({ field }) => field in value)) {
      const kind = { string: 'string', number: 'number', boolean: 'boolean', 'string | null': 'string', 'number | null': 'number' }[type];
      if (kind && !(type.includes('null') && value[field] === null)) assert.equal(typeof value[field], kind, `${name}.${field}`);
    }
  }
  // Every field is there at least once, the optional ones too.
  assert.deepEqual(known.filter(({ field }) => !values.some((value) => field in value)), [], name);
}

test('results have the types that are declared', () => {
  const spec = '[storage]\ntype = "docker"\nimage_name = "a"\nimage_tag = "b"\nfiles = { "/a" = "/b" }\nenv_vars = { A = "1" }\n[[flows]]\npath = "a.py"\n';
  const file = new TextEncoder().encode('print()');
  const entries = [{ path: '', mode: 493 }, { path: 'l', mode: 511, link: 'x' }];
  const linked = { storage: { type: 'docker', base_image: 'x', files: { '/a': { destination: '/b', entries } } } };
  const first = preview(spec, { files: { 'a.py': file, '/a': file } });
  const previews = [preview(spec), preview(spec, { files: { 'a.py': file }, since: first }), preview(linked), preview('[storage]\nq = 1\n'), first];
  check('Preview', previews);
  check('Image', previews.map((one) => one.image).filter(Boolean));
  check('SourceLine', previews.flatMap((one) => one.sourceMap));
  check('Step', previews.flatMap((one) => one.steps));
  check('ContextEntry', previews.flatMap((one) => one.context));
  check('Diagnostic', previews.flatMap((one) => one.diagnostics));
  check('ForecastStep', previews.flatMap((one) => one.forecast ?? []));
  check('Place', places(spec));
  check('Key', keys());
});
