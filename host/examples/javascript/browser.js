// For tests: a page in Chromium that can import what is in this folder, and the npm package from /package/.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { chromium } from 'playwright-core';

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const PACKAGE = new URL('../../../web/dist/', import.meta.url);

/** An empty page, and the errors that nothing on it catches. */
export async function open(test) {
  const server = createServer(serve).listen(0, '127.0.0.1');
  test.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const browser = await chromium.launch({
    executablePath: process.env.FLOWHOLD_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  test.after(() => browser.close());
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return { page, errors };
}

async function serve(request, response) {
  const path = new URL(request.url, 'http://localhost').pathname;
  const url = path.startsWith('/package/') ? new URL(path.slice('/package/'.length), PACKAGE) : new URL(`.${path}`, import.meta.url);
  const type = TYPES[extname(path)];
  const file = type && (await readFile(url).catch(() => undefined));
  if (file) response.writeHead(200, { 'content-type': type }).end(file);
  else response.writeHead(path === '/' ? 200 : 404, { 'content-type': 'text/html' }).end();
}
