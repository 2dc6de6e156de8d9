// Stores flows and previews an image, from Node: `node transpile.js core.wasm`, then `node example.js [DIRECTORY]`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Grants } from './grants.js';
import { Host } from './host.js';

const SPEC = `
[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
python_dependencies = ["six>=1"]
image_name = "hello"
image_tag = "v1"

[[flows]]
path = "hello.py"
`;
const SCRIPT = new TextEncoder().encode('print("hello from a flow")\n');

const host = new Host();
const folder = mkdtempSync(join(tmpdir(), 'flowhold-'));
try {
  await local(process.argv[2] ?? join(folder, 'flows'));
  await inBytes();
  await preview();
} finally {
  rmSync(folder, { recursive: true });
}

/** A flow in a directory: the same file that `flowhold add` makes. */
async function local(directory) {
  const session = await host.session({ files: new Grants().grant(directory, { write: true }) });
  const storage = session.local(directory);
  const location = storage.addFlow({ name: 'hello', content: SCRIPT });
  console.log('stored  ', location);
  console.log('flows   ', storage.flows());
  console.log('got back', storage.getFlow(location));
}

/** Flows that are in the serialized storage itself. */
async function inBytes() {
  const storage = (await host.session()).bytes();
  storage.addFlow({ name: 'hello', content: SCRIPT });
  const snapshot = storage.snapshot();
  const again = (await host.session()).deserialize(snapshot);
  console.log(`snapshot  ${snapshot.length} bytes, with`, again.flows());
}

/** What `flowhold build` would build, digest and all, without a daemon. */
async function preview() {
  writeFileSync(join(folder, 'hello.py'), SCRIPT);
  const session = await host.session({ files: new Grants().grant(folder) });
  const plan = session.plan(SPEC, { folder });
  for (const { severity, message } of plan.diagnostics()) console.log(`${severity.padEnd(8)}  ${message}`);
  console.log(plan.dockerfile());
  console.log('plan    ', plan.digest());
}
