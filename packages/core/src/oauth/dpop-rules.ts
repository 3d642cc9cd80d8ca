/** What a tenant demands of tokens that are bound to a key, and at the front issuer the vendor, too. */
import { z } from 'zod'

/** Both are needed: one that is left out would no longer demand what somebody has demanded. */
export const dpopRulesShape = z.strictObject({
  boundTokensDemanded: z.boolean().describe('No client gets a token that is not bound to a key: RFC 9449 §5'),
  nonceDemanded: z.boolean().describe('A proof must hold a nonce of ours, so that none can be made long before: RFC 9449 §8'),
})
export type DpopRules = z.output<typeof dpopRulesShape>

export const noDpopRules: DpopRules = { boundTokensDemanded: false, nonceDemanded: false }
const everyDpopRule: DpopRules = { boundTokensDemanded: true, nonceDemanded: true }

/** Whatever the store holds. Where nobody has chosen, nothing is demanded; what is not readable demands everything. */
export function dpopRulesFromJson(json: unknown): DpopRules {
  if (json === undefined) return noDpopRules
  const parsed = dpopRulesShape.safeParse(json)
  return parsed.success ? parsed.data : everyDpopRule
}

/** At the front issuer: whatever either demands, the vendor or the tenant. */
export const bothDpopRules = (one: DpopRules, other: DpopRules): DpopRules => ({
  boundTokensDemanded: one.boundTokensDemanded || other.boundTokensDemanded,
  nonceDemanded: one.nonceDemanded || other.nonceDemanded,
})
