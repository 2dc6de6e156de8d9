// Turns the component into JavaScript and core WebAssembly, in the folder `generated`: `node transpile.js core.wasm`.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transpile } from '@bytecodealliance/jco';

const path = process.argv[2] ?? process.env.FLOWHOLD_COMPONENT;
if (!path || !existsSync(path)) {
  console.error(`error: the component is ${path}, no file`);
  console.error('  help: `flowhold component -o FILE` writes it; then `node transpile.js FILE`');
  process.exit(2);
}
// With `instantiation`, imports are an argument, so that each instance has its own. Browsers want it to be asynchronous.
const { files } = await transpile(await readFile(path), { name: 'flowhold', instantiation: 'async' });
const folder = new URL('generated/', import.meta.url);
await rm(folder, { recursive: true, force: true });
for (const [name, bytes] of Object.entries(files)) {
  const file = fileURLToPath(new URL(name, folder));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
}
console.log(`${fileURLToPath(folder)} has ${Object.keys(files).length} files`);
