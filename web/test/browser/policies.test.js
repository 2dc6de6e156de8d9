// Policies of those who host the page are in a file beside it. Their verdicts are shown; without them no plan is final.
import assert from 'node:assert/strict';
import { browserTest } from './browser.js';
import { PreviewPage, hosted } from './page.js';

const SPEC = `[storage]
type = "docker"
base_image = "python:3.6"
env_vars = { MODE = "prod" }

[[flows]]
path = "hello.py"
size = 27
sha256 = "${'0'.repeat(64)}"
`;
const NAMED = `policies = ["deny.wasm"]\n${SPEC}`;

const DENY = `export function judge(plan) {
  const verdicts = plan.variables.map(({ name, field }) => ({ code: 'variable', severity: 'warning', field, message: \`\${name} is a variable\` }));
  if (plan.baseImage?.tag === '3.6') {
    const [code, field] = ['old-python', 'storage.base_image'];
    verdicts.push({ code, severity: 'error', field, message: 'nobody mends Python 3.6', help: 'name a later one' });
  }
  return verdicts;
}
`;
const POLICIES = { 'policies.js': 'import { judge } from "./policies/deny.js";\nexport default { "deny.wasm": judge };\n', 'policies/deny.js': DENY };

browserTest('verdicts are problems like any other, and an error leaves no plan', {}, async (visitor) => {
  const { url } = await hosted(visitor.t, POLICIES);
  const page = await PreviewPage.open(visitor, url);
  await page.write(SPEC);
  await page.lists('[data-testid="problems"] .text', [
    'error: nobody mends Python 3.6name a later onesays deny.wasm', 'warning: MODE is a variablesays deny.wasm',
  ]);
  await page.lists('[data-testid="problems"] .line', ['line 3', 'line 4']);
  await page.lists('#editor .cm-lintRange-error', ['base_image = "python:3.6"']);
  await page.lists('#editor .cm-lintRange-warning', ['MODE = "prod"']);
  await page.shows('why-no-plan', 'No plan yet: nobody mends Python 3.6: name a later one');
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  await page.page.locator('#editor .cm-lintRange-error').hover();
  await page.lists('#editor .cm-tooltip .cm-diagnostic .help', ['name a later one', 'says deny.wasm']);
  await page.byId('tab-spec').click();
  await page.shows('panel-spec', 'nobody mends Python 3.6');
  await page.byId('tab-dockerfile').click();
  // With only a warning, there is a plan.
  await page.cursorBehind('python:3.6');
  await page.keyboard.press('Backspace');
  await page.type('11');
  await page.lists('[data-testid="problems"] .line', ['line 4']);
  await page.shows('plan', /^sha256:/);
  await page.byId('tab-spec').click();
  await page.shows('panel-spec', '"base_image": "python:3.11"');
});

browserTest('a plan stays open where the page has no policy of that name', {}, async (visitor) => {
  const { url, write } = await hosted(visitor.t, {});
  const page = await PreviewPage.open(visitor, url);
  await page.write(NAMED.replace('3.6', '3.11'));
  const said = 'the policy deny.wasm has not judged the plan, which stays open';
  await page.shows('problems', said);
  await page.lists('#editor .cm-lintRange-warning', ['"deny.wasm"']);
  await page.shows('why-no-plan', `${said}: this page has no policy of that name`);
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  await page.shows('dockerfile', 'FROM python:3.11');
  // Those who host the page add the policy, which makes no new version of the page.
  await page.page.waitForFunction(() => document.getElementById('offline')?.textContent === 'Works offline');
  for (const [name, text] of Object.entries(POLICIES)) write(name, text);
  await page.page.reload();
  await page.shows('plan', /^sha256:/);
  await page.shows('problems', 'MODE is a variable');
  assert.equal(await page.byId('notice').count(), 0);
});

browserTest('once opened, policies judge without a network', {}, async (visitor) => {
  const { url, close } = await hosted(visitor.t, POLICIES);
  const first = await PreviewPage.open(visitor, url);
  await first.page.waitForFunction(() => document.getElementById('offline')?.textContent === 'Works offline');
  await close();
  await first.page.reload();
  await first.planned();
  await first.write(NAMED);
  await first.shows('problems', 'says deny.wasm');
});

const BROKEN = {
  'a syntax error': ['export default {', /Unexpected end of input/],
  'an error while it is loaded': ['throw new RangeError("no such rule");', /no such rule/],
  'a missing import': ['import "./policies/none.js"; export default {};', /policies/],
  'no default export': ['export const policies = {};', /its default export is not an object/],
  'what is not a function': ['export default { "deny.wasm": {} };', /"deny.wasm" is not a function/],
};
for (const [what, [text, reason]] of Object.entries(BROKEN)) {
  browserTest(`policies.js with ${what} breaks nothing, and no plan is final`, { expected: [/Failed to load resource/] }, async (visitor) => {
    const { url } = await hosted(visitor.t, { 'policies.js': text });
    const page = await PreviewPage.open(visitor, url);
    await page.write(SPEC);
    await page.shows('problems', /policies\.js could not judge the plan: it can't be loaded: /);
    await page.shows('problems', reason);
    await page.shows('why-no-plan', 'tell those who host this page');
    await page.shows('status', '1 error. No plan yet.');
    assert.equal(await page.byId('plan').textContent(), 'none yet');
    assert.equal(await page.byId('copy-command').isVisible(), false);
    // Everything that does not need the policies still works.
    await page.write(SPEC.replace('docker', 'dokcer'));
    await page.shows('problems', 'did you mean "docker"?');
  });
}

browserTest('a missing policies.js is an error too', { expected: [/Failed to load resource/] }, async (visitor) => {
  const { url, remove } = await hosted(visitor.t, {});
  remove('policies.js');
  const page = await PreviewPage.open(visitor, url);
  await page.shows('problems', 'policies.js could not judge the plan');
  assert.equal(await page.byId('plan').textContent(), 'none yet');
});

browserTest('a policy that breaks, or never ends, takes only the plan along', { timeout: 90_000 }, async (visitor) => {
  const { url } = await hosted(visitor.t, {
    'policies.js': `export default { ours: ({ baseImage }) => {
      if (baseImage?.tag === 'loop') for (;;);
      if (baseImage?.tag === 'throw') throw new Error('it broke');
      return [];
    } };`,
  });
  const page = await PreviewPage.open(visitor, url);
  await page.write(SPEC.replace('3.6', 'throw'));
  await page.shows('problems', 'ours could not judge the plan: it broke');
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  await page.focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(SPEC.replace('3.6', 'loop'));
  await page.page.waitForSelector('[data-about="fault"]', { timeout: 40_000 });
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  await page.write(SPEC.replace('3.6', '3.11'));
  await page.shows('plan', /^sha256:/);
});

browserTest('while a plan takes long, nobody copies the one before', {}, async (visitor) => {
  const { url } = await hosted(visitor.t, {
    'policies.js': `export default { slow: ({ baseImage }) => {
      if (baseImage?.tag === 'slow') {
        const wait = new XMLHttpRequest();
        wait.open('GET', 'until-told', false);
        wait.send();
      }
      return [];
    } };`,
  });
  let goOn = () => {};
  const told = new Promise((resolve) => (goOn = () => resolve(null)));
  await visitor.context.route('**/until-told', async (route) => {
    await told;
    await route.fulfill({ body: '' });
  });
  const page = await PreviewPage.open(visitor, url);
  await page.write(SPEC);
  const before = await page.byId('plan').textContent();
  const revision = await page.revision();
  await page.focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(SPEC.replace('3.6', 'slow'));
  await page.shows('why-no-plan', 'the spec has changed, and is being planned');
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  assert.equal(await page.byId('copy-command').isVisible(), false);
  assert.equal(await page.byId('copy-dockerfile').isDisabled(), true);
  assert.equal(await page.revision(), revision);
  goOn();
  await page.planned(revision);
  await page.shows('plan', /^sha256:/);
  assert.notEqual(await page.byId('plan').textContent(), before);
  assert.equal(await page.byId('copy-dockerfile').isDisabled(), false);
  await page.lists('[data-line="1"] code', ['FROM python:slow']);
  assert.equal(await page.page.locator('#stale').isVisible(), false);
});
