// The policies that judge every plan on this page, by name. This file is no part of the build: change it where the page
// is hosted. It may import others beside it, below policies/:
//
//   import { judging } from "./policies/deny/deny.js";
//   export default { "deny.wasm": judging.judge };
export default {};
