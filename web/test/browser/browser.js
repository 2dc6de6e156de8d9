// Tests in Chromium: each has a context of its own, and fails on any complaint of its pages.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { launch, watched } from './chromium.js';
import { PATH, servePage } from './page.js';

/** How long a whole test may take, in milliseconds. */
export const LONGEST_TEST = 60_000;

/** One browser for all tests of a file. @type {Promise<import('playwright-core').Browser> | undefined} */
let launched;

after(async () => {
  // If the browser could not be launched, each test has said so.
  const browser = await launched?.catch(() => undefined);
  await browser?.close();
});

/**
 * @typedef {{
 *   visit: (url: string) => Promise<import('playwright-core').Page>,
 *   context: import('playwright-core').BrowserContext,
 *   browser: import('playwright-core').Browser,
 *   t: import('node:test').TestContext,
 * }} Visitor
 */

/**
 * A test in a browser context of its own.
 * @param {string} name
 * @param {{ expected?: RegExp[], timeout?: number, context?: import('playwright-core').BrowserContextOptions }} options
 *   `expected` complaints belong to what is tested; `context` has the context's settings
 * @param {(visitor: Visitor) => Promise<void>} act
 */
export function browserTest(name, { expected = [], timeout = LONGEST_TEST, context: settings }, act) {
  test(name, { timeout }, async (t) => {
    const browser = await (launched ??= launch());
    const { context, complaints, visit, close } = await watched(browser, settings);
    try {
      await act({ visit, context, browser, t });
    } catch (error) {
      // The page's complaints are often the reason.
      if (error instanceof Error && complaints.length > 0) error.message += `\n\nThe page complained:\n${complaints.join('\n')}`;
      throw error;
    } finally {
      await close();
    }
    assert.deepEqual(complaints.filter((one) => !expected.some((pattern) => pattern.test(one))), [], 'the page complained');
  });
}

/** A server of the page for all tests of a file. */
export function pageServer() {
  /** @type {Awaited<ReturnType<typeof servePage>>} */
  let server;
  before(async () => {
    server = await servePage();
  });
  after(() => server?.close());
  return { url: (suffix = '') => `${server.origin}${PATH}${suffix}`, requests: () => server.requests };
}
