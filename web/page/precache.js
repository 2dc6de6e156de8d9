import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";

/**
 * Writes the service worker into the build, with the list of all built files and a version made of their bytes.
 * Policies are not in the list: those who host the page change them.
 */
export function precache(source) {
  let root;
  let output;
  return {
    name: "precache",
    apply: "build",
    configResolved(config) {
      root = config.root;
      output = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      const files = readdirSync(output, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(output, join(entry.parentPath, entry.name)).split(sep).join("/"))
        .filter((name) => name !== source && !/^policies(\.js$|\/)/.test(name))
        .sort();
      const version = createHash("sha256");
      for (const file of files)
        version
          .update(file)
          .update("\0")
          .update(readFileSync(join(output, file)));
      const code = readFileSync(join(root, source), "utf8")
        .replace("__VERSION__", version.digest("hex").slice(0, 16))
        .replace("[/* files */]", JSON.stringify(files));
      writeFileSync(join(output, source), code);
    },
  };
}
