// For tests: a project with everything that an image can have in it.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const utf8 = new TextEncoder();

export const FLOWS = [
  { name: 'etl', format: 'script', content: utf8.encode("print('hello')\n") },
  { name: 'Nightly: é', format: 'pickle', content: Uint8Array.of(0x80, 4, 0x4b, 1, 0x2e) },
];

// Large enough to be read in pieces from an open file.
export const MODEL = Uint8Array.from({ length: 3 << 20 }, (_, index) => index);

const NAMED = `
[[flows]]
path = "etl.py"
[[flows]]
path = "etl.pkl"
name = "Nightly: é"
`;

export const BYTES = `[storage]\ntype = "bytes"\n${NAMED}`;

/** A Docker storage without files. */
export const DOCKER = `[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
python_dependencies = ["six>=1"]
env_vars = { MODE = "it's $HOME" }
image_name = "etl"
image_tag = "v1"
${NAMED}`;

/** Writes the project, and returns its spec. */
export function project(folder) {
  writeFileSync(join(folder, 'etl.py'), FLOWS[0].content);
  writeFileSync(join(folder, 'etl.pkl'), FLOWS[1].content);
  writeFileSync(join(folder, 'model.bin'), MODEL);
  mkdirSync(join(folder, 'data/sub'), { recursive: true });
  writeFileSync(join(folder, 'data/sub/run.sh'), '#!/bin/sh\n');
  chmodSync(join(folder, 'data/sub/run.sh'), 0o755);
  symlinkSync('sub/run.sh', join(folder, 'data/link'));
  return DOCKER.replace('\n[[', `files = { "${folder}/data" = "/opt/data", "${folder}/model.bin" = "/opt/model.bin" }\n[[`);
}
