// The preview page as it is built, and what people do on it.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { flowhold, folder } from '../binary.js';
import { serve } from './server.js';

export const BUILT = fileURLToPath(new URL('../../page/dist/', import.meta.url));

/** Not the root of a server: the page has to work below any path. */
export const PATH = '/some/where/';

/** Milliseconds to wait for what a page shows of a plan: it takes milliseconds, but seconds on a busy machine. */
const LONGEST_WAIT = 15_000;

/** @returns {ReturnType<typeof serve>} */
export async function servePage(besides = {}) {
  if (!existsSync(BUILT)) throw new Error(`there is no ${BUILT}: cd web/page && npm ci && npm run build`);
  return serve({ [PATH]: BUILT, ...besides });
}

/** The page as an organisation hosts it: as it was built, with the organisation's own files. */
export async function hosted(t, files) {
  assert.ok(existsSync(BUILT), 'cd web/page && npm ci && npm run build');
  const root = folder();
  cpSync(BUILT, root, { recursive: true });
  const write = (name, text) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const server = await serve({ [PATH]: root });
  t.after(server.close);
  const at = (name) => join(root, name);
  return {
    url: `${server.origin}${PATH}`, write, read: (name) => readFileSync(at(name), 'utf8'), remove: (name) => rmSync(at(name)), close: server.close,
  };
}

/** What the host binary says of a spec whose sources are all pinned. @param {string[]} args */
export async function onHost(text, ...args) {
  const { stdout, stderr } = await flowhold(['preview', '--format', 'json', '-f', '-', ...args], { cwd: tmpdir(), input: text });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

export class PreviewPage {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
    this.keyboard = page.keyboard;
  }

  /**
   * Opens the page, and waits for its first plan.
   * @param {{ visit: (url: string) => Promise<import('playwright-core').Page> }} visitor
   */
  static async open({ visit }, url) {
    const opened = new PreviewPage(await visit(url));
    await opened.planned();
    return opened;
  }

  byId(id) {
    return this.page.locator(`[data-testid="${id}"]`);
  }

  /** The revision of the text whose plan is shown. */
  revision() {
    return this.page.evaluate(() => Number(document.body.dataset.revision));
  }

  /** Waits until the plan of a later revision is shown. */
  async planned(than = 0) {
    await this.page.waitForFunction((revision) => Number(document.body.dataset.revision) > revision, than);
  }

  /** Replaces the whole spec, and waits for its plan. */
  async write(text) {
    const revision = await this.revision();
    await this.focus();
    await this.keyboard.press('Control+A');
    if (text === '') await this.keyboard.press('Delete');
    else await this.keyboard.insertText(text);
    await this.planned(revision);
  }

  /** Types at the cursor as a person does, and waits for the plan of the whole text. */
  async type(text) {
    const revision = await this.revision();
    await this.keyboard.type(text);
    await this.planned(revision + [...text].length - 1);
  }

  focus() {
    return this.page.locator('#editor .cm-content').focus();
  }

  /** Puts the cursor behind the first place of a text, which is within one of the first lines that the editor shows. */
  async cursorBehind(text) {
    await this.focus();
    await this.keyboard.press('Control+Home');
    // The editor draws what came into view with the next frame.
    await this.frame();
    const lines = await this.page.locator('#editor .cm-line').allTextContents();
    const line = lines.findIndex((one) => one.includes(text));
    assert.ok(line >= 0, `${text} is in no line that the editor shows`);
    for (let at = 0; at < line; at++) await this.keyboard.press('ArrowDown');
    await this.keyboard.press('Home');
    for (let at = 0; at < lines[line].indexOf(text) + text.length; at++) await this.keyboard.press('ArrowRight');
  }

  /** The whole spec, as copying it gives it: the editor itself shows only a part of a long one. */
  async text() {
    await this.focus();
    await this.keyboard.press('Control+A');
    await this.keyboard.press('Control+C');
    return this.page.evaluate(() => navigator.clipboard.readText());
  }

  /** Waits until a part of the page says this. @param {RegExp | string} wanted */
  async shows(id, wanted) {
    const says = (text) => (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text));
    const read = async () => (await this.byId(id).allTextContents()).join('\n');
    const last = await this.#until(read, says);
    assert.ok(says(last), `${id} does not say ${wanted}, but: ${last}`);
  }

  /** Waits until the elements of this selector have these texts. */
  async lists(selector, wanted) {
    const read = () => this.page.locator(selector).allTextContents();
    assert.deepEqual(await this.#until(read, (texts) => isDeepStrictEqual(texts, wanted)), wanted, selector);
  }

  /** The lines of the Dockerfile that is shown. */
  dockerfile() {
    return this.page.locator('[data-testid="dockerfile"] .line code').allTextContents();
  }

  /** The bytes of a download that a button starts. */
  async download(id) {
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.byId(id).click()]);
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
  }

  /** Drops files and directories of this machine onto the page, and waits until the page reports the result. */
  async drop(...paths) {
    const said = await this.page.$('#drop-notices .notice');
    const session = await this.page.context().newCDPSession(this.page);
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of /** @type {const} */ (['dragEnter', 'dragOver', 'drop'])) {
      await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
    }
    await session.detach();
    // A new message replaces the one before.
    await said?.waitForElementState('hidden');
    await this.page.waitForSelector('#drop-notices .notice');
  }

  /** Reads until `holds` is true of the value, or time is up. The caller judges the last value. */
  async #until(read, holds) {
    for (const end = Date.now() + LONGEST_WAIT; ;) {
      const value = await read();
      if (holds(value) || Date.now() > end) return value;
      await this.frame();
    }
  }

  frame() {
    return this.page.evaluate(() => new Promise(requestAnimationFrame));
  }
}
