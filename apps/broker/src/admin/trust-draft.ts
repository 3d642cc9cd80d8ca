/** What an admin says of a trust, and what must hold before it is stored: it can be read, and it makes no loop. security.md §11 */

import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { thumbprint } from '@drawbridge/crypto/signing-keys'
import { isOfThisInstallationAcrossTenants, type StoredAssertionTrust } from '@drawbridge/store/assertion-trusts'
import { type AssertionTrust, parseAssertionTrust } from '@drawbridge/upstream/assertion/trust'
import { keysOfTrust } from '@drawbridge/upstream/assertion/verify-assertion'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { isOwnAddress } from '../http/own-address.js'
import { explainRefusal } from './connection-draft.js'
import { refuseAdmin } from './refuse-admin.js'

export const trustDraft = z.strictObject({
  name: z.string().trim().min(1).max(200),
  configuration: z.record(z.string(), z.unknown()).describe('The issuer, its keys, and what is believed of its assertions'),
})
export const trustChange = trustDraft.extend({
  ifRevision: z.string().max(64).optional().describe('Refuses the change where the trust is no longer the one that was read'),
})

/**
 * No issuer of this installation accepts the assertions of another one: refused by its name, by where its keys are, and by the keys that are there
 * now. What comes to have one of our keys later is refused where it is redeemed.
 */
export async function readTrustDraft(body: z.output<typeof trustDraft>, deps: BrokerDeps): Promise<Result<AssertionTrust, Answer>> {
  const parsed = parseAssertionTrust(body.configuration)
  if (!parsed.ok) return err(refuseAdmin('connection_invalid', [explainRefusal(parsed.error, 'configuration')]))
  const trust = parsed.value
  if ([trust.issuer, trust.jwksUri].some((url) => url !== undefined && isOwnAddress(deps, url))) return err(refuseAdmin('trust_loops'))
  const keys = await keysOfTrust(deps.fetchSafely, trust, deps.clock.now())
  if (keys === undefined) return err(refuseAdmin('trust_keys_unreadable'))
  const thumbprints = keys.map(({ publicKey }) => thumbprint(publicKey.export({ format: 'jwk' })))
  const isOurs = await isOfThisInstallationAcrossTenants(deps.database, { keys: thumbprints, issuers: [trust.issuer] })
  return isOurs ? err(refuseAdmin('trust_loops')) : ok(trust)
}

/** Two trusts of one issuer would leave open which of them judges an assertion; for several of its companies there are several. */
export const isTaken = (trust: AssertionTrust, others: readonly StoredAssertionTrust[], own: ConnectionId | undefined): boolean =>
  others
    .filter(({ id }) => id !== own)
    .map(({ configuration }) => parseAssertionTrust(configuration))
    .some((other) => other.ok && keyOf(other.value) === keyOf(trust))

const keyOf = ({ issuer, tenant, tenantClaim }: AssertionTrust): string =>
  JSON.stringify(tenant === undefined ? [issuer] : [issuer, tenantClaim, tenant])

/** What an admin accepts that is weaker than by default: in the trail, by name. */
export const weaknessesOf = ({ publicClients, jtiReuse, freshnessEvidence, profile }: AssertionTrust): readonly string[] => [
  ...(publicClients ? ['publicClients'] : []),
  ...(jtiReuse ? ['jtiReuse'] : []),
  ...(freshnessEvidence === 'issued_at' ? ['freshnessEvidence'] : []),
  ...(profile === 'rfc7523' ? ['profile'] : []),
]
