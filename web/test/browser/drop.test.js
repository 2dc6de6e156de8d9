// Flows, files and folders that are dropped or chosen: they end up in the spec, and their bytes in the context.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before } from 'node:test';
import { flowhold } from '../binary.js';
import { browserTest, pageServer } from './browser.js';
import { PreviewPage } from './page.js';

const server = pageServer();

const EMPTY = '[storage]\ntype = "docker"\nbase_image = "python:3.11-slim"\npython_version = "3.11"\n';

/** @type {string} */
let directory;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'flowhold-drop-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** A new file. @param {string | Buffer} content */
function file(name, content) {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, content);
  chmodSync(path, 0o644);
  return path;
}

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** What the host makes of a spec in the folder of the files: plan, Dockerfile and the context as tar. */
async function onHost(spec) {
  writeFileSync(join(directory, 'flowhold.toml'), spec);
  const run = async (args, encoding = 'utf8') => {
    const { code, stdout, stderr } = await flowhold(args, { cwd: directory, encoding: /** @type {any} */ (encoding) });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  return {
    plan: JSON.parse(await run(['preview', '--format', 'json'])).plan,
    dockerfile: await run(['preview']),
    context: await run(['dockerfile', '-'], 'buffer'),
  };
}

browserTest('a dropped flow is in spec, context and Dockerfile, and what is downloaded is what the host builds', {}, async (visitor) => {
  const flow = file('nightly report.py', 'print("é")\n');
  const data = file('model.bin', randomBytes(100_000));
  const page = await PreviewPage.open(visitor, server.url());
  // Only the user knows where a file is on this machine; dropping the file fills in the rest.
  await page.write(`${EMPTY}files = { ${JSON.stringify(data)} = "/opt/model.bin" }\n`);
  assert.equal(await page.byId('plan').textContent(), 'none yet');
  await page.shows('why-no-plan', 'add the file to the page');
  await page.drop(flow, data);
  // A browser knows no file modes: a user writes other modes by hand.
  await page.shows('notice', "1 added, 1 brought up to date. Browsers don't tell file modes: 644 is assumed, and 755 for directories. Undo takes it back.");
  await page.shows('plan', /^sha256:/);
  const spec = await page.text();
  for (const path of [flow, data]) assert.ok(spec.includes(sha256(path)), spec);
  assert.ok(spec.includes('[[flows]]\npath = "nightly report.py"\nsize = 12\n'), spec);
  await page.shows('dockerfile', 'COPY ["flows/", "/root/.prefect/"]');
  await page.shows('dockerfile', '"/opt/model.bin"');
  await page.byId('tab-context').click();
  await page.shows('panel-context', 'nightly-report.prefect');
  await page.shows('panel-context', sha256(flow).slice(0, 12));

  const host = await onHost(spec);
  assert.equal(await page.byId('plan').textContent(), host.plan);
  const dockerfile = await page.download('download-dockerfile');
  assert.equal(dockerfile.name, 'Dockerfile');
  assert.equal(dockerfile.bytes.toString(), host.dockerfile);
  const context = await page.download('download-context');
  assert.equal(context.name, 'context.tar');
  assert.ok(context.bytes.equals(host.context), 'another context than the host builds');

  // An edited flow that is dropped again replaces the former one, and undoing brings the former back.
  writeFileSync(flow, 'print("edited")\n');
  await page.drop(flow);
  await page.shows('notice', /^nightly report\.py brought up to date\. Undo takes it back\.$/);
  const edited = await page.text();
  assert.equal(edited, spec.replace(/size = 12\nsha256 = "\w+"/, `size = 16\nsha256 = "${sha256(flow)}"`));
  await page.focus();
  await page.keyboard.press('Control+Z');
  assert.equal(await page.text(), spec);
});

browserTest('a directory, an empty file and 10 MB of noise', {}, async (visitor) => {
  const noise = file('noise.bin', randomBytes(10_000_000));
  const empty = file('empty.dat', '');
  const deep = file('deep/a/b/c.txt', 'c');
  const flow = file('flow.py', 'print()\n');
  file('deep/z.py', 'z = 1\n');
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(EMPTY);
  await page.drop(noise, empty, join(directory, 'deep'), flow);
  await page.shows('notice', '4 added. Replace /path/to with the real path.');
  await page.shows('plan', /^sha256:/);
  await page.shows('status', 'No problems');
  const spec = await page.text();
  for (const path of [noise, empty, deep, flow]) assert.ok(spec.includes(sha256(path)), spec);
  await page.byId('tab-context').click();
  for (const name of ['noise.bin', 'empty.dat', 'deep/', 'a/', 'b/', 'c.txt', 'z.py']) await page.shows('panel-context', name);
  // A page does not know where the files were; with the paths filled in, the host builds the same context.
  const context = await page.download('download-context');
  const host = await onHost(spec.replaceAll('"/path/to/', `"${directory}/`));
  assert.ok(context.bytes.equals(host.context), 'another context than the host builds');
  // Dropping the same files again changes nothing.
  await page.drop(noise, empty, join(directory, 'deep'), flow);
  assert.equal(await page.text(), spec);
});

browserTest('a chosen file of 1 GiB is read bit by bit, and can be cancelled', {}, async (visitor) => {
  const huge = file('huge.bin', '');
  // Sparse: it has a size, and takes no room.
  truncateSync(huge, 1 << 30);
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(EMPTY);
  await page.byId('choose-files').setInputFiles(huge);
  const done = () => page.page.evaluate(() => document.querySelector('progress')?.value ?? 0);
  await page.page.waitForFunction(() => (document.querySelector('progress')?.value ?? 0) > 0);
  const first = await done();
  await page.page.waitForFunction((value) => (document.querySelector('progress')?.value ?? 0) > value, first);
  await page.shows('drop-progress', /huge\.bin · .* of 1\.1 GB/);
  assert.ok(await done() < 1);
  // The page stays usable meanwhile, and another drop has to wait.
  await page.write(`${EMPTY}image_name = "etl"\n`);
  await page.drop(file('later.py', ''));
  await page.shows('notice', 'another drop is still being read');
  await page.byId('drop-cancel').click();
  await page.shows('notice', 'Cancelled: nothing was added.');
  assert.equal(await page.byId('drop-progress').isVisible(), false);
  assert.equal(await page.text(), `${EMPTY}image_name = "etl"\n`);
});

browserTest('a chosen folder is as good as a dropped one', {}, async (visitor) => {
  file('chosen/one.txt', '1');
  file('chosen/sub/two.txt', '2');
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(EMPTY);
  await page.drop(join(directory, 'chosen'));
  const dropped = await page.text();
  await page.write(EMPTY);
  const revision = await page.revision();
  await page.byId('choose-directory').setInputFiles(join(directory, 'chosen'));
  await page.planned(revision);
  assert.equal(await page.text(), dropped);
  await page.shows('notice', 'drop it, if it has empty directories');
});

browserTest('what can not be added is refused, and the spec stays as it is', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const flow = file('hello.py', 'print()\n');
  for (const [spec, path, wanted] of /** @type {const} */ ([
    ['[storage\n', flow, /syntax error/],
    [`${EMPTY}[[flows]]\npath = "hello.py"\nobject = "flow"\n`, flow, /Python pickles an object/],
    [EMPTY, file('binary/flowhold.toml', Buffer.from([0, 1, 2, 255])), /it is not text/],
    [EMPTY, file('large/flowhold.json', '#'.repeat(1_000_000)), /less than 1 MB/],
    ['[[flows]]\npath = "a/etl.py"\n\n[[flows]]\npath = "b/etl.py"\n', file('etl.py', ''), /^etl\.py may be a\/etl\.py or b\/etl\.py: /],
    ['{"flows": [{"path": "etl.py"}], "storage": {"type": "docker", "files": {"/srv/etl.py": "/opt/etl.py"}}}', file('etl.py', ''),
      /^etl\.py may be (etl\.py|\/srv\/etl\.py) or /],
  ])) {
    await page.write(spec);
    await page.drop(path);
    await page.shows('notice', wanted);
    assert.equal(await page.text(), spec);
  }
  const other = file('other.toml', '[storage]\ntype = "memory"\n');
  await page.drop(other);
  await page.shows('notice', 'other.toml is the spec now');
  assert.equal(await page.text(), readFileSync(other, 'utf8'));
});

/** A spec, the file that is dropped onto it, and the spec afterwards, with the file's `SIZE` and `SHA256`. */
const PLACES = {
  'a script that is one of the files': [
    `${EMPTY}files = { "/srv/lib/util.py" = "/opt/util.py" }\n`, 'util.py',
    `${EMPTY}files = { "/srv/lib/util.py" = { destination = "/opt/util.py", entries = [{ path = "", mode = 420, size = SIZE, sha256 = "SHA256" }] } }\n`,
  ],
  'a flow with another ending': [
    `${EMPTY}\n[[flows]]\npath = "flows/etl.flow"\n`, 'etl.flow', `${EMPTY}\n[[flows]]\npath = "flows/etl.flow"\nsize = SIZE\nsha256 = "SHA256"\n`,
  ],
  'one file that two flows are of': [
    '[[flows]]\npath = "a.py"\nname = "one"\n\n[[flows]]\npath = "a.py"\nname = "two"\n', 'a.py',
    '[[flows]]\npath = "a.py"\nsize = SIZE\nsha256 = "SHA256"\nname = "one"\n\n[[flows]]\npath = "a.py"\nsize = SIZE\nsha256 = "SHA256"\nname = "two"\n',
  ],
  'a flow behind a comment': [
    `flows = [\n  { path = "a.py" }, # first\n]\n${EMPTY}`, 'b.py',
    `flows = [\n  { path = "a.py" }, { path = "b.py", size = SIZE, sha256 = "SHA256" }, # first\n]\n${EMPTY}`,
  ],
  'a flow where there is only a comment': [
    `flows = [ # none yet\n]\n${EMPTY}`, 'b.py', `flows = [ { path = "b.py", size = SIZE, sha256 = "SHA256" } # none yet\n]\n${EMPTY}`,
  ],
  'a file beside another that has a table of its own': [
    `${EMPTY}\n[storage.files."/srv/a.bin"]\ndestination = "/opt/a.bin"\n`, 'b.bin',
    `${EMPTY}\n[storage.files]\n"/path/to/b.bin" = { destination = "/opt/b.bin", entries = [{ path = "", mode = 420, size = SIZE, sha256 = "SHA256" }] }\n\n[storage.files."/srv/a.bin"]\ndestination = "/opt/a.bin"\n`,
  ],
  'a file above one that has a table of its own': [
    `${EMPTY}\n[storage.files]\n\n[storage.files."/srv/a.bin"]\ndestination = "/opt/a.bin"\n`, 'b.bin',
    `${EMPTY}\n[storage.files]\n"/path/to/b.bin" = { destination = "/opt/b.bin", entries = [{ path = "", mode = 420, size = SIZE, sha256 = "SHA256" }] }\n\n[storage.files."/srv/a.bin"]\ndestination = "/opt/a.bin"\n`,
  ],
  'a file beside one that is a key, and another that is a table': [
    `${EMPTY}files."/srv/a.bin" = "/opt/a.bin"\n\n[storage.files."/srv/c.bin"]\ndestination = "/opt/c.bin"\n`, 'b.bin',
    `${EMPTY}files."/srv/a.bin" = "/opt/a.bin"\nfiles."/path/to/b.bin" = { destination = "/opt/b.bin", entries = [{ path = "", mode = 420, size = SIZE, sha256 = "SHA256" }] }\n\n[storage.files."/srv/c.bin"]\ndestination = "/opt/c.bin"\n`,
  ],
  'a flow where there is nothing': [`flows = []\n${EMPTY}`, 'b.py', `flows = [ { path = "b.py", size = SIZE, sha256 = "SHA256" } ]\n${EMPTY}`],
};
browserTest('what is dropped ends up where the spec has its name, or else where its ending belongs', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  for (const [what, [spec, name, wanted]] of Object.entries(PLACES)) {
    const path = file(`places/${name}`, 'print()\n');
    await page.write(spec);
    await page.drop(path);
    assert.equal(await page.text(), wanted.replaceAll('SIZE', '8').replaceAll('SHA256', sha256(path)), what);
  }
  // The endings are the core's. Endings in capitals are as good, but the spec has to state their format.
  const names = ['a.pkl', 'b.pickle', 'c.prefect', 'd.cpkl', 'e.cloudpickle', 'f.p', 'g.pck', 'h.pcl', 'i.PY', 'j.Pkl'];
  for (const text of [EMPTY, '{"storage": {"type": "docker"}}']) {
    await page.write(text);
    await page.drop(...names.map((name) => file(`endings/${name}`, 'print()\n')), file('endings/k.txt', ''));
    const { code, stdout } = await flowhold(['preview', '--format', 'spec', '-f', '-'], { cwd: directory, input: await page.text() });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout).flows.map(({ path, format }) => [path, format]), names.map((name) => [name, name === 'i.PY' ? 'script' : 'pickle']));
  }
  // In JSON, too, a directory may be written with a slash.
  file('data/a.txt', 'a');
  await page.write('{"storage": {"type": "docker", "files": {"/srv/data/": "/opt/data"}}}');
  await page.drop(join(directory, 'data'));
  await page.shows('notice', /^data brought up to date/);
  const { files } = JSON.parse(await page.text()).storage;
  assert.deepEqual(Object.keys(files), ['/srv/data/']);
  assert.equal(files['/srv/data/'].destination, '/opt/data');
});

browserTest('names that fields have to escape are known again, and paths are in the order of the host', {}, async (visitor) => {
  // A combining accent, as macOS has them; an emoji of several characters; a quote; a character of two code units.
  const names = ['e\u0301.bin', '\u2764\ufe0f\u200d\u{1f525}.bin', 'a\'b"c.bin', '\u0928\u093f.bin'];
  const paths = names.map((name) => file(`odd/${name}`, name));
  file('order/\u{1f600}.txt', '2');
  file('order/\uff5e.txt', '1');
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(EMPTY);
  await page.drop(...paths, join(directory, 'order'));
  await page.shows('notice', /^5 added/);
  const spec = await page.text();
  assert.ok(spec.indexOf('\uff5e.txt') < spec.indexOf('\u{1f600}.txt'), spec);
  await page.drop(...paths, join(directory, 'order'));
  await page.shows('notice', /^5 brought up to date/);
  assert.equal(await page.text(), spec);
});

browserTest('TOML and JSON that are no specs are files', {}, async (visitor) => {
  const spec = `${EMPTY}files = { "/srv/settings.json" = "/opt/settings.json" }\n`;
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(spec);
  for (const [path, wanted] of /** @type {const} */ ([
    // The spec has a file of this name, whatever is in the dropped one.
    [file('settings.json', '{"storage": {"type": "memory"}}'), /^settings\.json brought up to date/],
    [file('tables.json', '{"tables": []}'), /^tables\.json added\. Replace \/path\/to with the real path\./],
    [file('pyproject.toml', '[project]\nname = "x"\n'), /^pyproject\.toml added/],
    [file('rows.json', `[${'0,'.repeat(600_000)}0]`), /^rows\.json added/],
    [file('broken.toml', '[storage\n'), /^broken\.toml added/],
  ])) {
    await page.drop(path);
    await page.shows('notice', wanted);
    assert.ok((await page.text()).includes(sha256(path)), path);
  }
  assert.ok((await page.text()).startsWith(EMPTY));
});

browserTest('a serialized storage and a preview that was kept are told from a spec', {}, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  const spec = `${EMPTY}image_name = "etl"\n\n[[flows]]\npath = "a.py"\nsize = 1\nsha256 = "${'0'.repeat(64)}"\n`;
  await page.write(spec);
  await page.byId('tab-storage').click();
  await page.shows('panel-storage', /"__version__"/);
  // The page's own download is a serialized storage.
  const [download] = await Promise.all([
    page.page.waitForEvent('download'), page.page.getByRole('button', { name: 'Download storage.json' }).click(),
  ]);
  const storage = readFileSync(await download.path(), 'utf8');
  const asJson = ['preview', '--format', 'json', '-f', '-'];
  const { stdout: preview } = await flowhold(asJson, { cwd: tmpdir(), input: spec });
  await page.byId('tab-dockerfile').click();
  const said = 'is a serialized storage, not a spec: flowhold run, ls and get take it with --storage';
  for (const [name, text] of [['storage.json', storage], ['flowhold.json', storage], ['hello.json', '{"type": "Local", "__version__": "0.1.0", "flows": {}}'],
    ['old.json', '{"type": "Local", "flows": {}}'], ['large.json', JSON.stringify({ type: 'Bytes', flows: { etl: 'A'.repeat(2_000_000) } })]]) {
    await page.drop(file(`kept/${name}`, text));
    await page.shows('notice', `${name} ${said}`);
    assert.equal(await page.text(), spec);
  }
  await page.drop(file('kept/old.json', preview));
  await page.shows('notice', 'old.json is a preview, not a spec: pinned, it says which steps of this spec run again');
  assert.equal(await page.text(), spec);
  await page.byId('notice').getByRole('button', { name: 'Pin it' }).click();
  await page.shows('forecast', 'steps are cached');
  assert.equal(await page.byId('notice').count(), 0);
  // A preview of many flows is recognised too, although it is larger than any spec.
  const many = JSON.parse(preview);
  for (let at = 0; at < 20_000; at += 1) many.flows[`flow ${at}`] = `/root/.prefect/flow-${at}.prefect`;
  await page.drop(file('kept/many.json', JSON.stringify(many)));
  await page.shows('notice', 'many.json is a preview, not a spec');
  assert.equal(await page.text(), spec);
  // A spec of that size is refused or, under another name, data.
  const large = JSON.stringify({ flows: Array(70_000).fill({ path: 'a.py' }) });
  await page.drop(file('kept/flowhold.json', large));
  await page.shows('notice', 'flowhold.json is not read as a spec: it has 1.1 MB, and a spec has less than 1 MB');
  assert.equal(await page.text(), spec);
  // A preview that nothing can be compared with.
  await page.drop(file('kept/open.json', '{"plan": null, "dockerfile": "FROM x", "steps": [], "flows": {}}'));
  await page.byId('notice').getByRole('button', { name: 'Pin it' }).click();
  await page.shows('notice', 'Nothing was pinned: it has no plan of an image');
  await page.shows('forecast', 'steps are cached');
  // A preview that the core refuses.
  await page.drop(file('kept/odd.json', JSON.stringify({ ...JSON.parse(preview), context: [{ path: 'a' }] })));
  await page.byId('notice').getByRole('button', { name: 'Pin it' }).click();
  await page.shows('notice', 'Nothing is pinned: not an earlier preview');
  await page.shows('pin', 'Pin');
  assert.equal(await page.byId('forecast').isVisible(), false);
  // In place of the spec, a storage or a preview is one problem.
  for (const [text, wanted] of [[storage, `this ${said}`], [preview, 'this is a preview, not a spec: flowhold preview takes it with --since']]) {
    await page.write(text);
    await page.shows('status', '1 error. No plan yet.');
    await page.shows('why-no-plan', wanted);
    await page.byId('tab-spec').click();
    await page.shows('panel-spec', wanted);
  }
  // A dropped text whose name the spec has is that file, whatever is in it, and a spec in JSON is a spec.
  const named = `${EMPTY}files = { "/srv/storage.json" = "/opt/storage.json" }\n`;
  await page.write(named);
  await page.drop(file('kept/storage.json', storage));
  await page.shows('notice', 'storage.json brought up to date');
  const resolved = (await flowhold(['preview', '--format', 'spec', '-f', '-'], { cwd: tmpdir(), input: spec })).stdout;
  await page.drop(file('kept/other.json', resolved));
  await page.shows('notice', 'other.json is the spec now');
  assert.equal(await page.text(), resolved);
});

browserTest('a directory of which something can not be read is not added', {}, async (visitor) => {
  // Root can read everything, so it is the browser that refuses here.
  await visitor.context.addInitScript(() => {
    const { webkitGetAsEntry } = DataTransferItem.prototype;
    DataTransferItem.prototype.webkitGetAsEntry = function () {
      const entry = /** @type {FileSystemDirectoryEntry} */ (webkitGetAsEntry.call(this));
      const reader = entry.createReader();
      const lock = (/** @type {any[]} */ entries) => {
        for (const one of entries) if (one.name === 'locked.txt') one.file = (_, reject) => reject(new DOMException('no permission'));
        return entries;
      };
      const readEntries = (resolve, reject) => reader.readEntries((entries) => resolve(lock(entries)), reject);
      return Object.assign(entry, { createReader: () => ({ readEntries }) });
    };
  });
  file('partly/locked.txt', '1');
  file('partly/open.txt', '2');
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(EMPTY);
  await page.drop(join(directory, 'partly'));
  await page.shows('notice', "partly/locked.txt can't be read: no permission");
  assert.equal(await page.text(), EMPTY);
});

browserTest('on a small screen a drop shows what becomes of it', { context: { viewport: { width: 360, height: 740 } } }, async (visitor) => {
  const page = await PreviewPage.open(visitor, server.url());
  await page.page.click('#show-result');
  await page.drop(file('small.py', 'print()\n'));
  assert.equal(await page.byId('notice').isVisible(), true);
});

browserTest('a file that changed since it was dropped is not downloaded as what it was', {}, async (visitor) => {
  const flow = file('changing.py', 'print(1)\n');
  const page = await PreviewPage.open(visitor, server.url());
  await page.write(EMPTY);
  await page.drop(flow);
  await page.shows('plan', /^sha256:/);
  writeFileSync(flow, 'print("something else")\n');
  await page.byId('download-context').click();
  await page.shows('notice', /changing\.py has been changed or removed since it was added/);
});
