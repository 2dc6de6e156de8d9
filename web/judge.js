/**
 * Asks a policy.
 * @param {(plan: any) => unknown} policy
 * @param {any} plan what all policies are told: each gets a copy, which it may change
 */
export function judge(policy, plan) {
  const verdicts = policy(structuredClone(plan));
  if (!Array.isArray(verdicts) || verdicts.some((one) => Object(one) !== one)) throw new TypeError('it returned no list of verdicts');
  return verdicts;
}
