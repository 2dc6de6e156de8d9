/**
 * Compiles the core, and gives its exports to its JavaScript.
 * @param {any} glue what wasm-bindgen generated
 * @param {BufferSource} bytes the module
 */
export async function start(glue, bytes) {
  const { instance } = await WebAssembly.instantiate(bytes, { './flowhold_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  // @ts-ignore: the module's own start function, where it has one
  instance.exports.__wbindgen_start?.();
}
