// The same component in Chromium: Bytes storage and the preview of an image are the binary's, to the letter.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { flowhold, folder, preview } from './binary.js';
import { open } from './browser.js';
import { BYTES, DOCKER, FLOWS, project } from './project.js';

test('in Chromium', { timeout: 90_000 }, async (t) => {
  const { page, errors } = await open(t);
  const cwd = folder(t);
  project(cwd);

  await t.test('bytes', async () => {
    writeFileSync(join(cwd, 'flowhold.toml'), BYTES);
    const { serialized, snapshot, again } = await page.evaluate(async (flows) => {
      const { Host } = await import('/host.js');
      const storage = (await new Host().session()).bytes();
      for (const flow of flows) storage.addFlow({ ...flow, content: Uint8Array.from(flow.content) });
      const snapshot = storage.snapshot();
      const again = (await new Host().session()).deserialize(snapshot);
      return {
        serialized: storage.serialize(),
        snapshot: [...snapshot],
        again: flows.map(({ name }) => again.getFlow(name)).map((flow) => ({ ...flow, content: [...flow.content] })),
      };
    }, plain(FLOWS));
    assert.equal(`${serialized}\n`, String(flowhold(cwd, ['serialize', 'flowhold.toml'])));
    assert.ok(flowhold(cwd, ['serialize', 'flowhold.toml', '--to', 'snapshot']).equals(Buffer.from(snapshot)));
    assert.deepEqual(again, plain(FLOWS));
  });

  await t.test('a preview, and no docker', async () => {
    const { printed, plan, code } = await page.evaluate(async ({ text, folder, flows: [script, pickle] }) => {
      const { Host } = await import('/host.js');
      const { MemoryFiles } = await import('/memory_files.js');
      const files = new MemoryFiles(folder, {
        'etl.py': Uint8Array.from(script.content),
        'etl.pkl': Uint8Array.from(pickle.content),
      });
      const session = await new Host().session({ files });
      const plan = session.plan(text, { folder, home: folder, needBytes: true });
      let code;
      try {
        session.storageOf(plan).build();
      } catch (error) {
        code = error.code;
      }
      return { printed: plan.toJson(), plan: plan.digest(), code };
    }, { text: DOCKER, folder: cwd, flows: plain(FLOWS) });
    const expected = preview(cwd, DOCKER);
    assert.deepEqual(JSON.parse(printed), expected);
    assert.match(plan, /^sha256:/);
    assert.equal(plan, expected.plan);
    assert.equal(code, 'no-capability');
  });

  await t.test('a flow in a directory in memory', async () => {
    const result = await page.evaluate(async (flow) => {
      const { Host } = await import('/host.js');
      const { MemoryFiles } = await import('/memory_files.js');
      const storage = (await new Host().session({ files: new MemoryFiles('/flows') })).local('/flows');
      const location = storage.addFlow({ ...flow, content: Uint8Array.from(flow.content) });
      let code;
      try {
        storage.addFlow({ name: flow.name, content: Uint8Array.of(1) });
      } catch (error) {
        code = error.code;
      }
      return { location, code, flows: storage.flows(), content: [...storage.getFlow(location).content] };
    }, plain(FLOWS)[0]);
    const location = '/flows/etl.prefect';
    assert.deepEqual(result, { location, code: 'duplicate-flow', flows: { etl: location }, content: plain(FLOWS)[0].content });
  });

  assert.deepEqual(errors, []);
});

/** What can be sent to a page. */
function plain(flows) {
  return flows.map((flow) => ({ ...flow, content: [...flow.content] }));
}
