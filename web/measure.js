// Measures package and page: `npm run measure`. It is not a test: its figures are for people, and hold for one machine.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { preview } from './dist/node.js';
import { binary } from './test/binary.js';
import { launch, watched } from './test/browser/chromium.js';
import { PATH, PreviewPage, servePage } from './test/browser/page.js';
import { serve } from './test/browser/server.js';

const DIST = fileURLToPath(new URL('./dist/', import.meta.url));

const STORAGE = `[storage]
type = "docker"
base_image = "python:3.11-slim"
python_version = "3.11"
python_dependencies = ["pandas>=2,<3"]
env_vars = { MODE = "prod" }
`;

/** A spec with this many pinned flows. */
function spec(flows) {
  const list = Array.from({ length: flows }, (_, index) => `
[[flows]]
path = "flows/flow${index}.py"
size = ${index}
sha256 = "${String(index).padStart(64, '0')}"
`);
  return STORAGE + list.join('');
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}
const p50 = (values) => quantile(values, 0.5);
const p95 = (values) => quantile(values, 0.95);
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

const ONE = spec(1);
const MANY = spec(1000);
/** How often each spec is measured, after a tenth as many rounds to warm up. */
const TIMES = /** @type {const} */ ([[ONE, 1000], [MANY, 40]]);

/** @returns {Promise<number[][]>} */
async function inChromium(browser) {
  const script = 'globalThis.flowhold = await import("/package/index.js");';
  const html = `<!doctype html><link rel="icon" href="data:,"><script type="module">${script}</script>`;
  // Isolated, so that the browser's clock has a resolution of 5 us.
  const server = await serve({ '/': { html }, '/package/': DIST }, {
    'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
  });
  const { visit, close } = await watched(browser);
  try {
    const page = await visit(`${server.origin}/`);
    await page.waitForFunction(() => 'flowhold' in globalThis);
    return await page.evaluate((times) => times.map(([text, count]) => {
      const taken = [];
      for (let at = -count / 10; at < count; at++) {
        const began = performance.now();
        // @ts-ignore: the module of the page
        globalThis.flowhold.preview(text);
        if (at >= 0) taken.push(performance.now() - began);
      }
      return taken;
    }), TIMES);
  } finally {
    await close();
    await server.close();
  }
}

function inNode() {
  return TIMES.map(([text, count]) => {
    const taken = [];
    for (let at = -count / 10; at < count; at++) {
      const began = performance.now();
      preview(text);
      if (at >= 0) taken.push(performance.now() - began);
    }
    return taken;
  });
}

/** The times that `flowhold preview` takes from its start to its end. */
async function asProcess() {
  const all = [];
  for (const [text] of TIMES) {
    const taken = [];
    for (let at = 0; at < 40; at++) {
      const began = performance.now();
      await new Promise((resolve, reject) => {
        const settings = { cwd: tmpdir(), maxBuffer: 1 << 26, timeout: 60_000 };
        const done = (error) => (error ? reject(error) : resolve(undefined));
        const child = execFile(binary(), ['preview', '--format', 'json', '-f', '-'], settings, done);
        child.stdin?.end(text);
      });
      taken.push(performance.now() - began);
    }
    all.push(taken);
  }
  return all;
}

/** Types 40 characters into a spec of 1,000 flows, faster than people do. @returns {Promise<number[]>} tasks of 50 ms and more */
async function longTasks(browser, url) {
  const { visit, close } = await watched(browser);
  try {
    const page = await PreviewPage.open({ visit }, url);
    await page.write(MANY);
    await page.cursorBehind('MODE = "prod');
    await page.page.evaluate(() => {
      globalThis.longTasks = [];
      new PerformanceObserver((list) => globalThis.longTasks.push(...list.getEntries().map((entry) => entry.duration)))
        .observe({ type: 'longtask' });
    });
    const revision = await page.revision();
    await page.keyboard.type('x'.repeat(40), { delay: 50 });
    await page.planned(revision + 39);
    return await page.page.evaluate(() => globalThis.longTasks);
  } finally {
    await close();
  }
}

/** The times of the first paint and of the first plan, with nothing in any cache. */
async function firstViews(browser, url) {
  const paints = [];
  const plans = [];
  for (let at = 0; at < 10; at++) {
    const { context, visit, close } = await watched(browser);
    await context.addInitScript(() => {
      new MutationObserver(() => {
        if (document.body?.dataset.revision) globalThis.planned ??= performance.now();
      }).observe(document, { subtree: true, childList: true, attributes: true });
    });
    const { page } = await PreviewPage.open({ visit }, url);
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    const [paint, plan] = await page.evaluate(() => [performance.getEntriesByName('first-contentful-paint')[0].startTime, globalThis.planned]);
    paints.push(paint);
    plans.push(plan);
    await close();
  }
  return { paint: p50(paints), plan: p50(plans) };
}

const browser = await launch();
const server = await servePage();
try {
  const url = `${server.origin}${PATH}`;
  const [one, many] = await inChromium(browser);
  const [nodeOne, nodeMany] = inNode();
  const [processOne, processMany] = await asProcess();
  const tasks = await longTasks(browser, url);
  const first = await firstViews(browser, url);
  const wasm = readFileSync(`${DIST}flowhold_bg.wasm`);
  const times = (slow, fast) => `${(p50(slow) / p50(fast)).toFixed(1)} times Chromium's`;
  const rows = [
    ['preview of one flow, Chromium', `${ms(p50(one))}, p95 ${ms(p95(one))}`],
    ['preview of one flow, Node', `${ms(p50(nodeOne))}, p95 ${ms(p95(nodeOne))}`, times(nodeOne, one)],
    ['preview of one flow, `flowhold preview`', `${ms(p50(processOne))}, p95 ${ms(p95(processOne))}`, times(processOne, one)],
    ['preview of 1,000 flows, Chromium', `${ms(p50(many))}, p95 ${ms(p95(many))}`],
    ['preview of 1,000 flows, Node', `${ms(p50(nodeMany))}, p95 ${ms(p95(nodeMany))}`, times(nodeMany, many)],
    ['preview of 1,000 flows, `flowhold preview`', `${ms(p50(processMany))}, p95 ${ms(p95(processMany))}`, times(processMany, many)],
    ['longest task while typing, 1,000 flows', tasks.length === 0 ? 'below 50 ms' : ms(Math.max(...tasks)), `${tasks.length} of 50 ms and more`],
    ['first view, nothing cached: first paint', ms(first.paint), 'median of 10'],
    ['first view, nothing cached: first plan', ms(first.plan), `${(first.plan / first.paint).toFixed(1)} times the first paint`],
    ['flowhold_bg.wasm', kb(wasm.length), `${kb(brotliCompressSync(wasm).length)} with brotli`],
  ];
  console.log(`${availableParallelism()} cores, Chromium ${browser.version()}, Node ${process.version}\n`);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
  for (const [what, value, note = ''] of rows) console.log(`${what.padEnd(widths[0])}  ${value.padEnd(widths[1])}  ${note}`.trimEnd());
} finally {
  await browser.close();
  await server.close();
}
