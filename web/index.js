// The package in browsers and bundlers: the module and the readings are files beside this one.
import * as glue from './flowhold_bg.js';
import { readWith } from './assets.js';
import { start } from './start.js';

// Each URL is written out: bundlers look for this form.
const readings = new URL('./readings.bin', import.meta.url);
const scripts = new URL('./scripts.bin', import.meta.url);

async function load(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} can't be loaded: HTTP status ${response.status}`);
  return response.arrayBuffer();
}

readWith((name) => {
  // The core needs the bytes at once, so it can't wait for fetch. A page's synchronous request may not ask for bytes,
  // but may ask for a text whose characters are the bytes.
  const request = new XMLHttpRequest();
  request.open('GET', name === 'readings.bin' ? readings : scripts, false);
  request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  if (request.status !== 200) throw new Error(`HTTP status ${request.status}`);
  return Uint8Array.from(request.responseText, (character) => character.charCodeAt(0));
});

await start(glue, await load(new URL('./flowhold_bg.wasm', import.meta.url)));

export async function loadReadings() {
  const content = await load(readings).catch(() => undefined);
  glue.supplyReadings(content && new Uint8Array(content));
}

export * from './flowhold_bg.js';
export { FlowholdError } from './error.js';
