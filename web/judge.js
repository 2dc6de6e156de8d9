/**
 * Asks a policy.
 * @param {(plan: any) => unknown} policy
 * @param {any} plan a separate object for each policy
 */
export function judge(policy, plan) {
  const verdicts = policy(plan);
  if (!Array.isArray(verdicts) || verdicts.some((one) => Object(one) !== one)) throw new TypeError('it returned no list of verdicts');
  return verdicts;
}
