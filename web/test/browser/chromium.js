// Chromium, with contexts that report everything that goes wrong in their pages.
import { existsSync } from 'node:fs';

// Otherwise the requests of service workers would not be seen.
process.env.PW_EXPERIMENTAL_SERVICE_WORKER_NETWORK_EVENTS = '1';
const { chromium } = await import('playwright-core');

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  // No host name has an address, so nothing that a page tries leaves this machine.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** Milliseconds after which a step has failed: enough for 2 shared cores, with room for a busy moment. */
const PATIENCE = 20_000;

/** @returns {Promise<import('playwright-core').Browser>} */
export async function launch() {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`there is no Chromium at ${EXECUTABLE}: apt-get install chromium, or name another in CHROMIUM`);
  }
  // In the C locale Chromium can't read files whose names are not ASCII.
  const env = { ...process.env, LC_ALL: 'C.UTF-8' };
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS, timeout: PATIENCE, env });
}

/**
 * A context whose pages are watched.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [settings]
 */
export async function watched(browser, settings) {
  const context = await browser.newContext({
    viewport: { width: 1360, height: 860 },
    permissions: ['clipboard-read', 'clipboard-write'],
    acceptDownloads: true,
    ...settings,
  });
  context.setDefaultTimeout(PATIENCE);
  /** @type {string[]} */
  const complaints = [];
  /** The origins at which pages were opened. @type {Set<string>} */
  const origins = new Set();
  const elsewhere = (url) => {
    const { origin } = new URL(url);
    // Only data: and about: have no origin, and they ask no server for anything.
    if (origin !== 'null' && !origins.has(origin.replace(/^ws/, 'http'))) complaints.push(`request elsewhere: ${url}`);
  };
  await context.exposeBinding('__policyViolated', (_, text) => complaints.push(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { violatedDirective, blockedURI, sourceFile, lineNumber } = event;
      // @ts-ignore: the binding above
      window.__policyViolated(`${violatedDirective} refused ${blockedURI} (${sourceFile}:${lineNumber})`);
    });
  });
  context.on('console', (message) => {
    if (['error', 'warning', 'assert'].includes(message.type())) complaints.push(`console ${message.type()}: ${message.text()}`);
  });
  context.on('weberror', (error) => complaints.push(`uncaught: ${error.error()?.message ?? error.error()}`));
  context.on('request', (request) => elsewhere(request.url()));
  context.on('page', (page) => {
    page.on('websocket', (socket) => elsewhere(socket.url()));
    page.on('crash', () => complaints.push('the page crashed'));
  });
  /** Opens a page. Everything that it loads must come from the origin of an opened page. */
  async function visit(url) {
    if (url.startsWith('http')) origins.add(new URL(url).origin);
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }
  /** Closes the context. Everything that went wrong up to here is in `complaints` afterwards. */
  async function close() {
    await Promise.all(context.pages().map((page) => page.evaluate(() => 0).catch(() => 0)));
    await context.close();
  }
  return { context, complaints, visit, close };
}
