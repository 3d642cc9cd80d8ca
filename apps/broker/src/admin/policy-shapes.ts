/** Policies as the admin API takes and shows them: the tenant's and the vendor's alike. */
import { type PolicyMistake, policyLimits } from '@drawbridge/core/policy/error'
import { policyWarnings } from '@drawbridge/core/policy/lint'
import { liveGrantsChoices } from '@drawbridge/core/revocation/settled-grants'
import type { StoredPolicy } from '@drawbridge/store/policies'
import { z } from 'zod'
import { time, toIso } from './shapes.js'

export const documentShape = z.string().min(1).max(policyLimits.documentBytes).describe('The policy as YAML')
export const casesShape = z
  .string()
  .min(1)
  .max(policyLimits.casesBytes)
  .describe('Its test cases as YAML, which must all hold. Left out: those of the newest version stay; `cases: []` removes them')
export const noteShape = z.string().max(500).default('')
export const liveGrantsShape = z
  .enum(liveGrantsChoices)
  .default('at_next_refresh')
  .describe(
    'When it takes effect on what is open: `now` has every live grant decided again, and its older tokens die if it loses something',
  )
export const publishedShape = z.strictObject({ version: z.int(), publishedAt: time })
export const policyHeading = z.strictObject({ version: z.int(), author: z.string(), note: z.string(), publishedAt: time })
export const policyShown = policyHeading.extend({ document: z.string() })
export const casesShown = z.string().describe('Its test cases; empty: it has none')
export const tenantPolicyShown = policyShown.extend({ cases: casesShown })

export const showHeading = ({ version, author, note, publishedAt }: StoredPolicy): z.output<typeof policyHeading> => ({
  version,
  author,
  note,
  publishedAt: toIso(publishedAt),
})
export const showPolicy = (policy: StoredPolicy): z.output<typeof policyShown> => ({ ...showHeading(policy), document: policy.document })
export const showTenantPolicy = (policy: StoredPolicy): z.output<typeof tenantPolicyShown> => ({
  ...showPolicy(policy),
  cases: policy.cases,
})

/** What is wrong, and where. */
export const placedShape = z.strictObject({ path: z.string(), message: z.string() })
export type Placed = z.output<typeof placedShape>

const mistakesShown = 50

/** Each with its line, and inside an expression with a caret below the place. */
export const showMistakes = (mistakes: readonly PolicyMistake[]): readonly Placed[] =>
  mistakes.slice(0, mistakesShown).map(({ path, say, line, expression }) => ({
    path,
    message: [line === undefined ? '' : `line ${line}: `, say, expression === undefined ? '' : `\n${expression.caret}`].join(''),
  }))

export const warningShape = z.strictObject({
  kind: z.enum(Object.keys(policyWarnings) as [keyof typeof policyWarnings, ...(keyof typeof policyWarnings)[]]),
  rule: z.string(),
  line: z.int().nullable(),
  message: z.string(),
})
export const caseResultsShape = z.strictObject({
  total: z.int(),
  failed: z.int(),
  failures: z
    .array(z.strictObject({ name: z.string(), message: z.string() }))
    .describe('The first of those that do not hold, with what came instead'),
})
