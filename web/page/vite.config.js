import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { precache } from "./precache.js";

export default defineConfig({
  // Relative, so that any static server can host the page below any path.
  base: "./",
  resolve: { alias: { flowhold: fileURLToPath(new URL("../dist/index.js", import.meta.url)) } },
  // The package's module awaits its WebAssembly at the top level.
  worker: { format: "es" },
  build: {
    target: "es2022",
    // The Content-Security-Policy allows neither data: URLs for code nor inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  plugins: [precache("service-worker.js")],
});
