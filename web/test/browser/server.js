// A static file server, like that of any host: it serves folders of this machine below paths of its address.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, sep } from 'node:path';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/**
 * Serves `mounts` by path. A path that ends with a slash has a folder, or the HTML of the one document there. The path
 * of a document has the address that its requests are redirected to.
 * @param {Record<string, string | { html: string } | { redirect: string }>} mounts
 * @param {Record<string, string>} [headers] headers of every answer
 * @returns {Promise<{ origin: string, requests: string[], close: () => Promise<void> }>}
 *   `requests` has the path of every request
 */
export async function serve(mounts, headers = {}) {
  /** @type {string[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://server').pathname;
    requests.push(path);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(mounts, path, response).catch(() => refuse(response, 404));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = () => new Promise((resolve) => {
    server.close(() => resolve(undefined));
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${port}`, requests, close };
}

async function answer(mounts, path, response) {
  const mount = Object.keys(mounts).filter((one) => path.startsWith(one)).sort((a, b) => b.length - a.length)[0];
  if (mount === undefined) return refuse(response, 404);
  const mounted = mounts[mount];
  if (typeof mounted !== 'string') {
    if (path !== mount) return refuse(response, 404);
    if ('redirect' in mounted) return response.writeHead(301, { location: mounted.redirect }).end();
    return response.writeHead(200, typed('.html')).end(mounted.html);
  }
  const root = await realpath(mounted);
  const file = await realpath(join(root, decodeURIComponent(path.slice(mount.length)) || 'index.html'));
  // The path has its links resolved before this check, so neither `..` nor a link leads out.
  if (!file.startsWith(root + sep)) return refuse(response, 403);
  const found = await stat(file);
  if (!found.isFile()) return refuse(response, 404);
  response.writeHead(200, { ...typed(extname(file)), 'content-length': found.size });
  createReadStream(file).on('error', () => response.destroy()).pipe(response);
}

function typed(ending) {
  return { 'content-type': TYPES[ending] ?? 'application/octet-stream', 'cache-control': 'no-store' };
}

function refuse(response, status) {
  if (response.headersSent) response.destroy();
  else response.writeHead(status, { 'content-type': 'text/plain' }).end(`${status}\n`);
}
