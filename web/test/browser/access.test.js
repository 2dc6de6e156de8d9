// The page can be used with a keyboard, with a screen reader, on a small screen and in the dark.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { browserTest, pageServer } from './browser.js';
import { PreviewPage } from './page.js';

const server = pageServer();

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHA256 = '5755c8adc8f1011f96fee8103450a2642293466ddeae397ae5c4b958bf67b681';
const LATER = `[storage]
type = "docker"
base_image = "python"
env_vars = { A = "1" }

[[flows]]
path = "a.pkl"
size = 2
sha256 = "${SHA256}"
`;
const WRONG = '[storage]\ntype = "docker"\nbaseimage = 1\nfiles = 3\n';

/** Asserts that axe finds nothing wrong. @param {PreviewPage} page */
async function assertAccessible(page, state) {
  // axe is evaluated as an expression, since the page's Content-Security-Policy refuses scripts from elsewhere.
  if (!(await page.page.evaluate(() => 'axe' in globalThis))) await page.page.evaluate(AXE);
  const violations = await page.page.evaluate(async () => {
    // @ts-ignore: just loaded
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => {
      const places = nodes.slice(0, 3).map((node) => `${node.target.join(' ')}: ${node.failureSummary}`);
      return `${impact}: ${id}\n${places.join('\n')}`;
    });
  });
  assert.deepEqual(violations, [], state);
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  browserTest(`axe finds nothing in the ${colorScheme} page`, { context: { colorScheme }, timeout: 120_000 }, async (visitor) => {
    const page = await PreviewPage.open(visitor, server.url());
    assert.equal(await page.byId('theme').getAttribute('aria-pressed'), String(colorScheme === 'dark'));
    await assertAccessible(page, 'the first view');
    await page.byId('pin').click();
    await page.shows('forecast', 'All 8 steps are cached');
    await page.write(LATER);
    await page.shows('forecast', 'run again');
    await page.cursorBehind('base_image');
    await assertAccessible(page, 'a forecast, hints and a marked line');
    await page.page.hover('[data-line="1"]');
    await page.lists('#editor .cm-linked', ['base_image = "python"']);
    await assertAccessible(page, 'a line that is looked at, and what made it');
    for (const tab of ['context', 'image', 'spec', 'storage']) {
      await page.byId(`tab-${tab}`).click();
      await page.shows(`panel-${tab}`, /\w/);
      await assertAccessible(page, tab);
    }
    await page.byId('tab-dockerfile').click();
    await page.write(WRONG);
    await page.page.evaluate(() => {
      location.hash = '#spec=!';
    });
    await page.shows('notice', 'could not be read');
    await assertAccessible(page, 'errors and a message');
    await page.byId('examples').click();
    await assertAccessible(page, 'a menu');
  });
}

browserTest('axe finds nothing on a screen of 360 px, and nothing is wider than it', {
  context: { viewport: { width: 360, height: 740 } },
}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const width = () => page.page.evaluate(() => document.documentElement.scrollWidth);
  await assertAccessible(page, 'the spec');
  assert.equal(await width(), 360);
  await page.write(WRONG);
  await page.shows('status', 'error');
  await assertAccessible(page, 'the spec with an error');
  assert.equal(await width(), 360);
  for (const width of [320, 360, 390, 430]) {
    await page.page.setViewportSize({ width, height: 740 });
    await page.byId('examples').click();
    const { x, width: wide } = await page.page.locator('#examples-menu').boundingBox() ?? assert.fail('the menu is nowhere');
    assert.ok(x >= 0 && x + wide <= width, `on ${width} px the menu is from ${x} to ${x + wide}`);
    await page.byId('examples').click();
    const theme = await page.byId('theme').boundingBox() ?? assert.fail('the button is nowhere');
    assert.ok(theme.x + theme.width <= width, `on ${width} px the last button ends at ${theme.x + theme.width}`);
  }
  await page.page.setViewportSize({ width: 360, height: 740 });
  await page.write(LATER);
  await page.page.click('#show-result');
  assert.equal(await page.byId('dockerfile').isVisible(), true);
  assert.equal(await page.byId('editor').isVisible(), false);
  await assertAccessible(page, 'the result');
  assert.equal(await width(), 360);
});

test('text can be read on whatever marks it', () => {
  const css = readFileSync(new URL('../../page/src/style/colours.css', import.meta.url), 'utf8');
  const colours = new Map([...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, ...pair]) => [name, pair]));
  /** WCAG 2.2's relative luminance. */
  const luminance = (colour) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const low = [];
  for (const theme of [0, 1]) {
    const of = (name) => luminance(colours.get(name)?.[theme] ?? assert.fail(name));
    for (const behind of ['surface', 'hover', 'linked', 'selection', 'match']) {
      for (const text of ['text', 'muted', 'faint', 'error', 'code-keyword', 'code-string', 'code-number', 'code-name', 'code-comment']) {
        const [light, dark] = [of(text), of(behind)].sort((a, b) => b - a);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < 4.5) low.push(`${text} on ${behind}: ${contrast.toFixed(2)} in ${['light', 'dark'][theme]}`);
      }
    }
  }
  assert.deepEqual(low, []);
});

for (const viewport of [{ width: 640, height: 360 }, { width: 320, height: 256 }]) {
  browserTest(`on ${viewport.width} by ${viewport.height} px the result is there to be scrolled to`, { context: { viewport } }, async (visitor) => {
    const page = await PreviewPage.open(visitor, server.url());
    await assertAccessible(page, 'the spec');
    await page.page.click('#show-result');
    const line = page.page.locator('[data-line="1"]');
    await line.scrollIntoViewIfNeeded();
    const seen = await line.evaluate((node) => {
      const { left, top, width, height } = node.getBoundingClientRect();
      return node.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    });
    assert.equal(seen, true);
    const { height } = await page.byId('dockerfile').boundingBox() ?? assert.fail('the Dockerfile is nowhere');
    assert.ok(height > 100, `${height} px`);
    await assertAccessible(page, 'the result');
  });
}

browserTest('on a low, wide screen the page stays where its reader is', { context: { viewport: { width: 1000, height: 430 } } }, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const variables = Array.from({ length: 60 }, (_, at) => `V${at} = "${at}"`).join('\n');
  await page.write(`[storage]\ntype = "docker"\n\n[storage.env_vars]\n${variables}\n`);
  const top = () => page.page.evaluate(() => scrollY);
  await page.page.evaluate(() => scrollTo(0, 1000));
  const before = await top();
  assert.ok(before > 0);
  // The field that the line leads to is above the visible part of the page.
  await page.page.locator('[data-line="2"]').evaluate((node) => node.focus({ preventScroll: true }));
  await page.lists('#editor .cm-linked', ['V0 = "0"']);
  await page.frame();
  await page.frame();
  assert.equal(await top(), before);
});

browserTest('screen readers are told names once, and only what is new', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  for (const width of [1360, 600]) {
    await page.page.setViewportSize({ width, height: 860 });
    assert.equal(await page.page.getByRole('button', { name: 'Copy link', exact: true }).count(), 1, `${width} px`);
  }
  await page.page.setViewportSize({ width: 1360, height: 860 });
  // Messages appear in regions that are live before there is a message.
  assert.equal(await page.page.locator('.notices[aria-live="polite"]').count(), 2);
  await page.write(LATER);
  await page.page.hover('[data-line="1"]');
  await page.shows('why', 'Line 1 made by storage.base_image');
  const said = await page.page.$('#why > .made');
  await page.write(LATER.replace('"1"', '"2"'));
  assert.equal(await said?.evaluate((node) => node.isConnected), true);
});

browserTest('everything is reached with the Tab key alone', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const wanted = ['examples', 'share', 'theme', 'choose-files', 'choose-directory', 'editor', 'tab-dockerfile', 'pin', 'copy-dockerfile',
    'download-dockerfile', 'download-context', 'expect-plan', 'copy-command'];
  const reached = [];
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press('Tab');
    const id = await page.page.evaluate(() => {
      const focused = document.activeElement;
      return focused?.getAttribute('data-testid') ?? focused?.getAttribute('data-line') ?? '';
    });
    reached.push(id);
    if (id === 'copy-command') break;
  }
  assert.deepEqual(wanted.filter((id) => !reached.includes(id)), [], reached.join(' '));
  // Tab reaches one line of the Dockerfile; the arrow keys reach the others.
  assert.deepEqual(reached.filter((id) => /^\d+$/.test(id)), ['1']);
});

browserTest('by keyboard, a line of the Dockerfile leads to what made it', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.page.locator('[data-line="1"]').focus();
  await page.shows('why', 'Line 1 made by storage.base_image');
  await page.lists('#editor .cm-linked', ['base_image = "python:3.11-slim"']);
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await page.shows('why', 'Line 2 made by storage.python_dependencies[0]');
  await page.keyboard.press('ArrowUp');
  // The explanation stays when the focus moves to it.
  await page.keyboard.press('Tab');
  assert.equal(await page.page.evaluate(() => document.activeElement?.id), 'why');
  await page.shows('why', 'Line 1 made by storage.base_image');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  const revision = await page.revision();
  await page.keyboard.insertText('base_image = "python:3.12"');
  await page.planned(revision);
  await page.lists('[data-line="1"] code', ['FROM python:3.12']);
  // A click as a screen reader makes it.
  await page.page.locator('[data-line="1"]').evaluate((line) => /** @type {HTMLElement} */ (line).click());
  await page.keyboard.insertText('base_image = "python:3.13"');
  await page.lists('[data-line="1"] code', ['FROM python:3.13']);
});

for (const width of [390, 320]) {
  browserTest(`on a phone of ${width} px buttons say what they do, and what is written is all there`, {
    context: { viewport: { width, height: 844 }, hasTouch: true, isMobile: true },
  }, async (visitor) => {
    const page = await PreviewPage.open(visitor, server.url());
    /** @param {import('playwright-core').Locator} locator */
    const cut = (locator) => locator.evaluate(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) => scrollWidth > clientWidth || scrollHeight > clientHeight);
    // On a touch screen the page does not speak of dropping files.
    assert.match(await page.page.locator('#editor-keys').innerText(), /^Add flows, files and folders/);
    await page.page.click('#show-result');
    for (const [id, seen, name] of [
      ['copy-dockerfile', 'Copy Dockerfile', 'Copy Dockerfile'], ['download-dockerfile', 'Dockerfile', 'Download Dockerfile'],
      ['download-context', 'Context', 'Download Context as .tar'],
    ]) {
      const button = page.byId(id);
      assert.equal((await button.innerText()).trim(), seen);
      assert.equal(await button.locator('.icon').isVisible(), true, id);
      assert.equal(await page.page.getByRole('button', { name, exact: true }).and(button).count(), 1, name);
      assert.equal(await cut(button), false, id);
      const { x, width: wide } = await button.boundingBox() ?? assert.fail(id);
      assert.ok(x >= 0 && x + wide <= width, `${id} is from ${x} to ${x + wide}`);
    }
    const { length } = await page.dockerfile();
    for (let line = 1; line <= length; line++) {
      await page.page.locator(`[data-line="${line}"]`).focus();
      await page.shows('why', `Line ${line}`);
      assert.equal(await cut(page.byId('why')), false, `the explanation of line ${line}`);
    }
    await page.byId('tab-storage').click();
    await page.shows('panel-storage', /"__version__"/);
    const download = await page.page.getByRole('button', { name: 'Download storage.json' }).boundingBox();
    const text = await page.page.locator('#panel-storage .block').first().boundingBox();
    assert.ok(download && text && download.y + download.height <= text.y, 'the button is on the text');
    await page.byId('tab-dockerfile').click();
    await page.page.click('#show-source');
    await page.write(LATER.replace('[[flows]]', '[storage.files]\n"/a/rather/long/path/to/some/data" = "/opt/data"\n\n$&'));
    await page.page.click('#show-result');
    await page.shows('why-no-plan', 'No plan yet: ');
    assert.equal(await cut(page.byId('why-no-plan')), false);
    // Without a Dockerfile, nothing points to its lines.
    await page.page.click('#show-source');
    await page.write('[storage]\ntype = "memory"\n');
    await page.page.click('#show-result');
    await page.shows('dockerfile', 'there is no Dockerfile');
    assert.equal(await page.byId('why').isVisible(), false);
    await assertAccessible(page, 'no Dockerfile');
  });
}

browserTest('what is too long for its place is scrolled by keyboard, and names of the context are all there', {
  context: { viewport: { width: 390, height: 844 } },
}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const long = 'a-rather-long-name/'.repeat(9);
  await page.write(LATER.replace('[[flows]]', `[storage.files]\n"/x" = { destination = "/opt/${long}x", entries = [{ path = "", mode = 420, size = 1, sha256 = "${SHA256}" }] }\n\n$&`).replace('a.pkl"', `a.pkl"\nname = "${'long-'.repeat(20)}"`));
  await page.page.click('#show-result');
  await page.byId('tab-context').click();
  await page.shows('panel-context', 'long-long-long');
  const cut = () => page.page.locator('#panel-context .row span').evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth && one.clientWidth > 0).map(({ textContent }) => textContent));
  assert.deepEqual(await cut(), []);
  await page.page.click('#show-source');
  await page.write(LATER.replace('a.pkl"\nsize = 2', `${'long/'.repeat(400)}a.pkl"`).replace(/sha256.*\n/, ''));
  await page.page.click('#show-result');
  const why = page.byId('why-no-plan');
  await page.shows('why-no-plan', 'long/long');
  await why.focus();
  await page.keyboard.press('End');
  await page.page.waitForFunction(() => (document.getElementById('command-why')?.scrollTop ?? 0) > 0);
  // There is still room for the result.
  assert.ok(((await page.byId('panel-context').boundingBox())?.height ?? 0) > 200);
});

browserTest('with forced colours, what is chosen, made, looked at and linked is told from the rest', {
  context: { viewport: { width: 390, height: 844 }, forcedColors: 'active' },
}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  /** How each element is marked, in colours other than the page's background. @param {string} selector */
  const looks = (selector, pseudo = '') => page.page.locator(selector).evaluateAll((nodes, of) => nodes.map((node) => {
    const { backgroundColor, borderLeftColor, borderLeftWidth, outlineColor, outlineStyle } = getComputedStyle(node, of);
    const behind = getComputedStyle(document.body).backgroundColor;
    const seen = (/** @type {string} */ colour) => colour !== behind && !/^rgba.*, 0\)$/.test(colour);
    return [
      ...(seen(backgroundColor) ? ['filled'] : []),
      ...(borderLeftWidth !== '0px' && seen(borderLeftColor) ? ['bar'] : []),
      ...(outlineStyle !== 'none' && seen(outlineColor) ? ['outlined'] : []),
    ].join();
  }), pseudo);
  assert.deepEqual(await looks('.switch button'), ['filled', '']);
  await page.write('[storage]\ntype = "docker"\nenv_vars = { A = "1" }\npython_dependencies = ["six"]\n');
  await page.keyboard.press('Control+Space');
  await page.page.locator('#editor .cm-completionInfo').waitFor();
  assert.deepEqual((await looks('#editor .cm-tooltip-autocomplete li')).slice(0, 2), ['filled', '']);
  await page.keyboard.press('Escape');
  await page.page.setViewportSize({ width: 1200, height: 844 });
  assert.deepEqual(await looks('[role="tab"]', '::after'), ['filled', '', '', '', '']);
  await page.cursorBehind('env_vars');
  await page.lists('.line.made code', ['ENV A="1"']);
  const wanted = (await page.dockerfile()).map((line) => (line.startsWith('ENV') ? 'bar' : ''));
  assert.deepEqual(await looks('[data-line]'), wanted);
  await page.page.hover('[data-line="2"]');
  await page.page.locator('#editor .cm-linked').waitFor();
  assert.deepEqual(await looks('[data-line]'), wanted.with(1, 'outlined'));
  assert.deepEqual(await looks('#editor .cm-linked'), ['outlined']);
  await page.write('[storage]\ntype = "docker"\nimagename = 1\n');
  await page.page.locator('#editor .cm-lint-marker-error').waitFor();
  assert.deepEqual(await looks('#editor .cm-lint-marker-error'), ['filled']);
});

for (const width of [1360, 390]) {
  browserTest(`on ${width} px the panel that finds is as large as the rest of the page`, { context: { viewport: { width, height: 844 } } }, async (visitor) => {
    const page = await PreviewPage.open(visitor, server.url());
    await page.focus();
    await page.keyboard.press('Control+F');
    const panel = page.page.locator('#editor .cm-search');
    await panel.waitFor();
    const sizes = (/** @type {import('playwright-core').Locator} */ locator) => locator.evaluateAll((nodes) => nodes.map((node) => {
      const { fontSize, fontFamily, height } = getComputedStyle(node);
      return { fontSize, fontFamily, height };
    }));
    const [wanted] = await sizes(page.page.locator('#choose-files + .icon').locator('..'));
    for (const controls of ['.cm-textfield', '.cm-button']) {
      const found = await sizes(panel.locator(controls));
      assert.ok(found.length > 1, controls);
      for (const one of found) assert.deepEqual(one, wanted, controls);
    }
    for (const { fontSize } of await sizes(panel.locator('label'))) assert.equal(fontSize, wanted.fontSize);
    const close = await panel.locator('[name="close"]').boundingBox();
    assert.ok(close && close.width >= 24 && close.height >= 24, JSON.stringify(close));
    const inside = await panel.locator('input, button').evaluateAll((nodes) => nodes.every((node) => node.getBoundingClientRect().right <= innerWidth - 16));
    assert.ok(inside, 'the panel is cut');
    await assertAccessible(page, 'the panel');
  });
}

for (const [width, height] of [[1440, 900], [800, 600], [390, 844], [320, 568]]) {
  browserTest(`on ${width} px what is said of a suggestion is seen, and so are the others`, { context: { viewport: { width, height } } }, async (visitor) => {
    const page = await PreviewPage.open(visitor, server.url());
    await page.write('[storage]\ntype = "docker"\n\n');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Control+Space');
    const info = page.page.locator('#editor .cm-completionInfo');
    for (let presses = 0; presses < 3; presses++) {
      await info.waitFor();
      // The explanation is put in its place with the next frame.
      await page.frame();
      await page.frame();
      // All of the explanation is in the window, and on top of everything else.
      const hidden = await info.evaluate((node) => {
        const root = /** @type {ShadowRoot} */ (node.getRootNode());
        const within = (/** @type {Element} */ one, x, y) => one.contains(root.elementFromPoint(x, y)) ? [] : [`${one.textContent} at ${x}, ${y}`];
        const { left, right, top, bottom } = node.getBoundingClientRect();
        // Within its round corners.
        const corners = [[left + 4, top + 4], [right - 4, top + 4], [left + 4, bottom - 4], [right - 4, bottom - 4]];
        const list = root.querySelector('.cm-tooltip-autocomplete > ul');
        const end = list?.getBoundingClientRect().bottom ?? 0;
        const rows = [...(list?.children ?? [])].map((row) => /** @type {const} */ ([row, row.getBoundingClientRect()]));
        return [
          ...corners.flatMap(([x, y]) => within(node, x, y)),
          ...rows.filter(([, box]) => box.bottom <= end).flatMap(([row, box]) => within(row, (box.left + box.right) / 2, (box.top + box.bottom) / 2)),
          ...(node.scrollHeight > node.clientHeight ? ['it has to be scrolled'] : []),
        ];
      });
      assert.deepEqual(hidden, [], await info.textContent() ?? '');
      const said = await info.elementHandle();
      // For 75 ms arrow keys move the cursor, since the user can't have seen the suggestions yet.
      await page.page.waitForTimeout(100);
      await page.keyboard.press('ArrowDown');
      await said?.waitForElementState('hidden');
    }
  });
}
