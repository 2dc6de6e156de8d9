// The package in Node, where files are read and not fetched.
import { readFile } from 'node:fs/promises';
import * as glue from './flowhold_bg.js';
import { start } from './start.js';

await start(glue, await readFile(new URL('./flowhold_bg.wasm', import.meta.url)));

export * from './flowhold_bg.js';
export { FlowholdError } from './error.js';
