/**
 * Tells a policy the plan, in the shape that jco gives a component's values.
 * @param {(plan: any) => unknown} policy
 * @param {string} text the plan as JSON, from which each policy gets an object of its own
 */
export function judge(policy, text) {
  const plan = JSON.parse(text);
  for (const entry of plan.context) {
    entry.size = entry.size === null ? null : BigInt(entry.size);
    entry.link ??= null;
  }
  const verdicts = policy(plan);
  if (!Array.isArray(verdicts) || verdicts.some((one) => Object(one) !== one)) throw new TypeError('it gave no list of verdicts');
  return verdicts;
}
