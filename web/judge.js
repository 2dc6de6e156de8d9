/**
 * Tells a policy the plan, in the shape that jco gives a component's values.
 * @param {(plan: any) => unknown} policy
 * @param {any} preview
 * @param {string} rest what the plan has and the preview has not, as JSON
 */
export function judge(policy, { image, dockerfile, context }, rest) {
  const entries = context.map((/** @type {any} */ entry) => ({ link: null, ...entry, size: entry.size === null ? null : BigInt(entry.size) }));
  const verdicts = policy({ ...JSON.parse(rest), image, dockerfile, context: entries });
  if (!Array.isArray(verdicts)) throw new TypeError('it gave no list of verdicts');
  return verdicts;
}
