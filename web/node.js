// The package in Node, which reads files instead of fetching them.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as glue from './flowhold_bg.js';
import { readWith } from './assets.js';
import { start } from './start.js';

const readings = new URL('./readings.bin', import.meta.url);

readWith((name) => readFileSync(new URL(name, import.meta.url)));

await start(glue, await readFile(new URL('./flowhold_bg.wasm', import.meta.url)));

export async function loadReadings() {
  glue.supplyReadings(await readFile(readings).catch(() => undefined));
}

export * from './flowhold_bg.js';
export { FlowholdError } from './error.js';
