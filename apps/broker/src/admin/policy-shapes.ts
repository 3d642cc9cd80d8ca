/** Policies as the admin API takes and shows them: the tenant's and the vendor's alike. */
import type { PolicyMistake } from '@drawbridge/core/policy/error'
import type { StoredPolicy } from '@drawbridge/store/policies'
import { z } from 'zod'
import { time, toIso } from './shapes.js'

export const documentShape = z.string().min(1).max(65_536).describe('The policy as YAML')
export const noteShape = z.string().max(500).default('')
export const publishedShape = z.strictObject({ version: z.int(), publishedAt: time })
export const policyHeading = z.strictObject({ version: z.int(), author: z.string(), note: z.string(), publishedAt: time })
export const policyShown = policyHeading.extend({ document: z.string() })

export const showHeading = ({ version, author, note, publishedAt }: StoredPolicy): z.output<typeof policyHeading> => ({
  version,
  author,
  note,
  publishedAt: toIso(publishedAt),
})
export const showPolicy = (policy: StoredPolicy): z.output<typeof policyShown> => ({ ...showHeading(policy), document: policy.document })

const mistakesShown = 50

/** Each with its line, and inside an expression with a caret below the place. */
export const showMistakes = (mistakes: readonly PolicyMistake[]): readonly { readonly path: string; readonly message: string }[] =>
  mistakes.slice(0, mistakesShown).map(({ path, say, line, expression }) => ({
    path,
    message: [line === undefined ? '' : `line ${line}: `, say, expression === undefined ? '' : `\n${expression.caret}`].join(''),
  }))
