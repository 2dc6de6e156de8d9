// The policies that judge every plan on this page, by name. This file is not part of the build: change it where the
// page is hosted. It may import files from policies/ beside it:
//
//   import { judging } from "./policies/deny/deny.js";
//   export default { "deny.wasm": judging.judge };
export default {};
