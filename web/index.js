// The package in browsers and bundlers: the module is a file beside this one.
import * as glue from './flowhold_bg.js';
import { start } from './start.js';

const response = await fetch(new URL('./flowhold_bg.wasm', import.meta.url));
if (!response.ok) throw new Error(`flowhold_bg.wasm can't be loaded: HTTP status ${response.status}`);
await start(glue, await response.arrayBuffer());

export * from './flowhold_bg.js';
export { FlowholdError } from './error.js';
