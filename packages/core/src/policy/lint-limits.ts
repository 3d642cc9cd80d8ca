/** How much is compared to find what a policy says in vain. */
export const lintLimits = {
  warnings: 100,
  comparedRules: 1_000,
  /** Comparisons of one scope with what a rule says of scopes: of the rules with each other, and with what resources declare. */
  comparedScopes: 2_000_000,
  /** Groups of one rule that are looked for among those of another. */
  comparedGroups: 2_000_000,
} as const
