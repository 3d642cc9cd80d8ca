/** Every way in which a policy document can be refused when it is saved. None of these ever reaches a person who signs in. */
export const policyErrors = {
  document_too_large: { spec: 'ours: limit documentBytes', say: 'the document is larger than the limit documentBytes' },
  document_not_yaml: { spec: 'YAML 1.2', say: 'the document is not readable YAML' },
  document_has_alias: { spec: 'ours', say: 'anchors and aliases are not allowed in a policy' },
  document_shape: { spec: 'ours', say: 'the document does not have the shape of a policy' },
  cases_too_large: { spec: 'ours: limit casesBytes', say: 'the test cases are larger than the limit casesBytes' },
  cases_shape: { spec: 'ours', say: 'the test cases do not have their shape' },
  rule_name_repeated: { spec: 'ours', say: 'two rules carry the same name' },
  too_many_rules: { spec: 'ours: limit rules', say: 'the policy has more rules than the limit rules' },
  group_too_large: {
    spec: 'ours: limit groups',
    say: 'a group that the document defines lists more names, ids and paths than the limit groups',
  },
  too_many_groups: {
    spec: 'ours: limit groupsInAll',
    say: 'the rules of the policy stand for more groups, each time that one is named, than the limit groupsInAll',
  },
  place_too_deep: { spec: 'ours: limit placeDepth', say: 'the place in the directory has more levels than the limit placeDepth' },
  claim_reserved: {
    spec: 'ours',
    say: 'a claim of that name is made by Drawbridge or by the connection and cannot be written by a policy',
  },
  strength_defined: { spec: 'ours', say: 'what this evidence means is defined already, and a policy cannot give it another meaning' },
  strength_without_evidence: { spec: 'ours', say: 'a rule for strength needs `acr` or `amr`' },
  strength_not_named: {
    spec: 'ours',
    say: 'the vendor accepts one rule at a time: name connection, `acr` or `amr`, and what it means; the id of a connection alone accepts nothing',
  },
  session_too_long: { spec: 'ours: limit sessionSeconds', say: 'no session lasts longer than the limit sessionSeconds' },
  wall_grants: { spec: 'ours', say: 'the policy of the vendor is a wall: it denies, demands and limits, and grants nothing' },
  wall_only: { spec: 'ours', say: 'only the policy of the vendor can say this' },
  tenant_only: { spec: 'ours', say: 'only the policy of a tenant can say this' },
  client_rule_without_effect: { spec: 'ours', say: 'a rule for clients needs `refuse`, `scopes` or a limit' },
  rule_without_condition: { spec: 'ours', say: 'a rule needs `when`, `groups`, or `everyone: true`' },
  limit_loosened: { spec: 'ours', say: 'a policy may only tighten the limits of a tier, never loosen them' },
  expression_too_long: { spec: 'ours: limit expressionCharacters', say: 'the expression is longer than the limit expressionCharacters' },
  expression_syntax: { spec: 'CEL language definition, Syntax', say: 'the expression cannot be read' },
  expression_type: { spec: 'CEL language definition, Gradual Type Checking', say: 'the expression does not type-check' },
  expression_not_boolean: { spec: 'ours', say: 'a condition must be true or false' },
  expression_function: { spec: 'ours', say: 'the function is not available in a policy' },
  expression_too_complex: {
    spec: 'ours: limits expressionNodes, expressionDepth, expressionListItems and expressionArguments',
    say: 'the expression is beyond one of the limits expressionNodes, expressionDepth, expressionListItems and expressionArguments',
  },
  expression_text: {
    spec: 'ours: limit expressionText',
    say: 'a text that the expression makes could become longer than the limit expressionText',
  },
  expression_too_costly: { spec: 'ours: limit expressionCost', say: 'the expression could take longer than the limit expressionCost' },
  policy_too_costly: { spec: 'ours: limit policyCost', say: 'all expressions together could take longer than the limit policyCost' },
  expression_vain: { spec: 'ours', say: 'the condition compares something with what it can never be' },
  regex_not_literal: { spec: 'ours', say: 'the pattern of `matches` must be written in the expression, not computed' },
  regex_refused: { spec: 'RE2 syntax', say: 'the pattern of `matches` is not a linear-time regular expression' },
} as const satisfies Record<string, { readonly spec: string; readonly say: string }>

export type PolicyErrorReason = keyof typeof policyErrors

/** One mistake in a document, placed so that an editor can underline it. Lines and columns count from 1. */
export type PolicyMistake = {
  readonly reason: PolicyErrorReason
  /** Plain words with the detail, fit for the author. */
  readonly say: string
  /** Where in the document, in its own words: `rules[2].when`. */
  readonly path: string
  /** Line of the document at which the value begins; undefined when the document could not be read. */
  readonly line: number | undefined
  /** Inside an expression: its line and column, and that line with a caret below. */
  readonly expression: { readonly line: number; readonly column: number; readonly caret: string } | undefined
}

/** Named limits of policies. Beyond one of them a document is refused with the limit's name. */
export const policyLimits = {
  documentBytes: 64 * 1024,
  casesBytes: 256 * 1024,
  cases: 1_000,
  expressionCharacters: 2_000,
  expressionNodes: 400,
  expressionDepth: 16,
  expressionText: 16 * 1_024,
  expressionCost: 60_000,
  expressionListItems: 200,
  expressionArguments: 4,
  policyCost: 200_000,
  regexCharacters: 256,
  regexInstructions: 256,
  regexInstructionsInAll: 20_000,
  rules: 10_000,
  clientRules: 1_000,
  demands: 1_000,
  strengthRules: 200,
  ruleScopes: 200,
  patternStars: 8,
  ruleClients: 200,
  sessionSeconds: 12 * 3_600,
  versionsADay: 100,
  versionsADayWithRollbacks: 120,
  groups: 1_000,
  groupsInAll: 200_000,
  placeDepth: 32,
  caseScopes: 200,
  /** Of a situation that somebody describes. */
  claims: 200,
  claimListItems: 100,
  claimCharacters: 1_024,
  amrValues: 20,
  requestScopes: 100,
} as const

export const policyLimitTexts: Readonly<Record<keyof typeof policyLimits, string>> = {
  documentBytes: 'of a document',
  casesBytes: 'of the document with its test cases',
  cases: 'test cases of one policy',
  expressionCharacters: 'of one condition',
  expressionNodes: 'names, values, operators and calls of one condition',
  expressionDepth: 'levels of parentheses, calls and operators within each other in one condition',
  expressionText: 'of a text that a condition makes out of others, at the very most',
  expressionCost: 'steps that evaluating one condition could take at the very most',
  expressionListItems: 'items of a list that is written in a condition',
  expressionArguments: 'arguments of one call',
  policyCost: 'steps that one decision could take at the very most, over all conditions',
  regexCharacters: 'of a pattern of `matches`',
  regexInstructions: 'of the program that a pattern becomes',
  regexInstructionsInAll: 'of all programs that the patterns of one policy become',
  rules: 'rules of one policy; a bundle counts once for each pair of group and scope',
  clientRules: 'rules for clients',
  demands: 'demands in `mfa`',
  strengthRules: 'rules in `strength`',
  ruleScopes: 'scopes and patterns of one rule',
  patternStars: '`*` in one pattern of scopes',
  ruleClients: 'ids, and hosts, of the clients of one rule',
  groups: 'groups of one person (beyond, they count as unknown), of one rule, and of one that the document defines',
  groupsInAll:
    'groups that all rules together stand for; a group that the document defines counts for all that it lists, each time that a rule names it',
  versionsADay: 'versions of the policy of one tenant, or of the vendor, that are published within a day',
  versionsADayWithRollbacks: 'the same, where an old version is published again',
  sessionSeconds: 'of a session, whatever the wall of the vendor says',
  placeDepth: 'levels of a place in the directory',
  caseScopes: 'scopes of the resource that test cases declare',
  claims: 'claims of somebody whom a test case or a dry run describes',
  claimListItems: 'items of a claim that is a list',
  claimCharacters: 'of a claim that is a text, and of the name of a group',
  amrValues: 'authentication methods of one sign-in (beyond, they count as unknown)',
  requestScopes: 'scopes of one request',
}
