/** Specs to start from. Their flows are pinned and their bytes are here, so each has a plan and a whole build context. */

export interface Example {
  title: string;
  detail: string;
  text: string;
}

const HELLO = 'print("hello from a flow")\n';

const ETL = `"""Loads, cleans and stores the day's orders."""
import json
import os
import sys

mode = os.environ.get("MODE", "test")
with open("/opt/etl/settings.json", encoding="utf-8") as file:
    settings = json.load(file)
print(f"{mode}: {len(settings['tables'])} tables", file=sys.stderr)
`;

const SETTINGS = '{"tables": ["orders", "customers", "returns"]}\n';

/** `pickle.dumps(print, 4)`: whatever can be called is a flow. */
const GREET = Uint8Array.from(atob("gASVFgAAAAAAAACMCGJ1aWx0aW5zlIwFcHJpbnSUk5Qu"), (char) => char.charCodeAt(0));

/** The bytes of the examples' files, by digest. */
export function exampleFiles(): Map<string, Blob> {
  return new Map([
    ["5755c8adc8f1011f96fee8103450a2642293466ddeae397ae5c4b958bf67b681", new Blob([HELLO])],
    ["799cb36523fdf1ec0717efbe29d6bbd501f15b44e7aa494bce9f1e724e8251bb", new Blob([ETL])],
    ["dd4b11b507a4335723311582f8abb8c369a342e4bafba03019f0c5f9ed146d88", new Blob([SETTINGS])],
    ["94ec85d0816a762ed1ad379178b1fda0eb3375521ae63900fabb4ddd54d19d2f", new Blob([GREET])],
  ]);
}

const LOCAL: Example = {
  title: "A flow in a directory",
  detail: "Local storage: no image, no daemon",
  text: `# One script, stored in a directory of this computer.
[storage]
type = "local"
directory = "~/.prefect/flows"

[[flows]]
path = "hello.py"
size = 27
sha256 = "5755c8adc8f1011f96fee8103450a2642293466ddeae397ae5c4b958bf67b681"
`,
};

const REGISTRY: Example = {
  title: "An image in a registry",
  detail: "Docker storage: built, then pushed",
  text: `# One script in an image that is pushed to a registry.
[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
python_dependencies = ["pandas>=2,<3", "requests"]
image_name = "hello"
image_tag = "v1"
env_vars = { MODE = "prod" }

[[flows]]
path = "hello.py"
size = 27
sha256 = "5755c8adc8f1011f96fee8103450a2642293466ddeae397ae5c4b958bf67b681"
`,
};

const EVERYTHING: Example = {
  title: "Everything at once",
  detail: "Files, variables and a pickle",
  text: `# Scripts and a pickle in one image, which is built only if its plan is new.
[storage]
type = "docker"
registry_url = "registry.example.com/acme"
base_image = "python:3.11-slim"
python_dependencies = [
  "pandas>=2,<3",
  "sqlalchemy[postgresql]==2.0.*",
  "tzdata; sys_platform == 'linux'",
]
prefect_version = "0.6.6"
python_version = "3.11"
cloudpickle_version = "3.0.0"
image_name = "nightly"
naming = "plan"
prefect_directory = "/srv/flows"

[storage.env_vars]
MODE = "prod"
GREETING = "it's $HOME, unexpanded"
PIP_RETRIES = "10"

[storage.files]
"/srv/etl/settings.json" = { destination = "/opt/etl/settings.json", entries = [
  { path = "", mode = 420, size = 47, sha256 = "dd4b11b507a4335723311582f8abb8c369a342e4bafba03019f0c5f9ed146d88" },
] }

[[flows]]
path = "flows/etl.py"
name = "Nightly orders"
size = 283
sha256 = "799cb36523fdf1ec0717efbe29d6bbd501f15b44e7aa494bce9f1e724e8251bb"

[[flows]]
path = "flows/greet.pkl"
size = 33
sha256 = "94ec85d0816a762ed1ad379178b1fda0eb3375521ae63900fabb4ddd54d19d2f"
`,
};

export const EXAMPLES: readonly Example[] = [LOCAL, REGISTRY, EVERYTHING];

/** What the page shows at the first visit. */
export const FIRST = REGISTRY.text;
