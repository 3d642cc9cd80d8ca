/** What an admin says of a trust, and what must hold before it is stored: it can be read, and it makes no loop. security.md §11 */

import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { thumbprint } from '@drawbridge/crypto/signing-keys'
import { isOfThisInstallationAcrossTenants, type StoredAssertionTrust } from '@drawbridge/store/assertion-trusts'
import { isOfSamlTrust, parseSamlTrust, type SamlTrust } from '@drawbridge/upstream/assertion/saml-trust'
import { type AssertionTrust, parseAssertionTrust } from '@drawbridge/upstream/assertion/trust'
import { keysOfParty } from '@drawbridge/upstream/oidc/party-signature'
import { demandPublicAddresses } from '@drawbridge/upstream/public-addresses'
import { isError } from '@drawbridge/upstream/saml/metadata-findings'
import { keysOf } from '@drawbridge/upstream/saml/signature-algorithms'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { isOwnAddress } from '../http/own-address.js'
import { issuerOf } from '../http/resolved-trusts.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { explainRefusal } from './connection-draft.js'
import { metadataMembers, readGivenMetadata, refuseFindings } from './given-metadata.js'
import { refuseAdmin } from './refuse-admin.js'

/** Read once, and not kept an eye on: else as a connection is given it. */
const metadataOfTrust = {
  ...metadataMembers,
  metadataXml: metadataMembers.metadataXml.describe('SAML: the IdP’s metadata; its entity ID and certificates are read, once'),
  metadataUrl: metadataMembers.metadataUrl.describe('SAML: where it is; fetched now, and not again. Or the document, not both'),
}

export const trustDraft = z.strictObject({
  name: z.string().trim().min(1).max(200),
  configuration: z.record(z.string(), z.unknown()).describe('The issuer, its keys, and what is believed of its assertions'),
  ...metadataOfTrust,
})
export const trustChange = trustDraft.extend({
  ifRevision: z.string().max(64).optional().describe('Refuses the change where the trust is no longer the one that was read'),
})

export type Trust = AssertionTrust | SamlTrust
/** `configuration`: what is stored, with what metadata gave. */
export type ReadTrust = { readonly trust: Trust; readonly configuration: unknown }

export const parseTrust = (configuration: unknown) =>
  isOfSamlTrust(configuration) ? parseSamlTrust(configuration) : parseAssertionTrust(configuration)

/**
 * No issuer of this installation accepts the assertions of another one: refused by its name, by where its keys are, and by the keys that are there
 * now. What comes to have one of our keys later is refused where it is redeemed.
 */
export async function readTrustDraft(
  body: z.output<typeof trustDraft>,
  deps: BrokerDeps,
  tenant: Pick<ResolvedTenant, 'connections'>,
): Promise<Result<ReadTrust, Answer>> {
  const configuration = await withMetadata(body, deps)
  if (!configuration.ok) return configuration
  const parsed = demandPublicAddresses<Trust>(deps.settings.publicUrl, parseTrust(configuration.value))
  if (!parsed.ok) return err(refuseAdmin('connection_invalid', [explainRefusal(parsed.error, 'configuration')]))
  const trust = parsed.value
  const said = trust.kind === 'assertion' ? await saidByJwtTrust(trust, deps) : saidBySamlTrust(trust, tenant)
  if (said === undefined) return err(refuseAdmin('trust_keys_unreadable'))
  if (said.addresses.some((url) => isOwnAddress(deps, url))) return err(refuseAdmin('trust_loops'))
  const isOurs = await isOfThisInstallationAcrossTenants(deps.database, said)
  return isOurs ? err(refuseAdmin('trust_loops')) : ok({ trust, configuration: configuration.value })
}

type Said = { readonly addresses: readonly string[]; readonly issuers: readonly string[]; readonly keys: readonly string[] }

async function saidByJwtTrust(trust: AssertionTrust, deps: BrokerDeps): Promise<Said | undefined> {
  const addresses = [trust.issuer, trust.jwksUri].filter((url) => url !== undefined)
  if (addresses.some((url) => isOwnAddress(deps, url))) return { addresses, issuers: [], keys: [] }
  const keys = await keysOfParty(deps.fetchSafely, trust, deps.clock.now())
  const thumbprints = keys?.map(({ publicKey }) => thumbprint(publicKey.export({ format: 'jwk' })))
  return thumbprints && { addresses, issuers: [trust.issuer], keys: thumbprints }
}

/** A connection that there is not has nothing to say; whether there is one is asked where the trust is stored. */
function saidBySamlTrust(trust: SamlTrust, { connections }: Pick<ResolvedTenant, 'connections'>): Said {
  const named = issuerOf(trust, connections)
  if (named === undefined) return { addresses: [], issuers: [], keys: [] }
  const keys = keysOf(named.certificates).map((key) => thumbprint(key.export({ format: 'jwk' })))
  return { addresses: URL.canParse(named.issuer) ? [named.issuer] : [], issuers: [named.issuer], keys }
}

/** The document says who the issuer is and which its keys are, whatever stood there; all else is said by hand. */
async function withMetadata(body: z.output<typeof trustDraft>, deps: BrokerDeps): Promise<Result<unknown, Answer>> {
  const { metadataXml, metadataUrl, entityId, pinnedCertificates, configuration } = body
  if (metadataXml === undefined && metadataUrl === undefined) return ok(configuration)
  const path = metadataXml === undefined ? 'metadataUrl' : 'metadataXml'
  if (!isOfSamlTrust(configuration)) return err(refuseAdmin('metadata_invalid', [{ path, message: 'only a trust of SAML has metadata' }]))
  const read = await readGivenMetadata({ metadataXml, metadataUrl, entityId, pinnedCertificates }, deps)
  if (!read.ok) return read
  const { configuration: offered, findings } = read.value.diagnosis
  if (offered === undefined) return err(refuseFindings(findings.filter(isError), path))
  return ok({ ...configuration, issuer: offered.idpEntityId, certificates: offered.certificates })
}

/** Two trusts of one issuer would leave open which of them judges an assertion; for several of its companies there are several. */
export const isTaken = (
  trust: Trust,
  others: readonly StoredAssertionTrust[],
  { own, tenant }: { readonly own?: ConnectionId | undefined; readonly tenant: Pick<ResolvedTenant, 'connections'> },
): boolean =>
  others
    .filter(({ id }) => id !== own)
    .map(({ configuration }) => parseTrust(configuration))
    .some((other) => other.ok && keyOf(other.value, tenant) === keyOf(trust, tenant))

function keyOf(trust: Trust, { connections }: Pick<ResolvedTenant, 'connections'>): string {
  if (trust.kind === 'saml-assertion') return JSON.stringify(['saml', issuerOf(trust, connections)?.issuer ?? trust.from.keysOf ?? null])
  const { issuer, tenant, tenantClaim } = trust
  return JSON.stringify(tenant === undefined ? [issuer] : [issuer, tenantClaim, tenant])
}

/** What an admin accepts that is weaker, or reaches further, than by default: in the trail, by name. */
export const weaknessesOf = (trust: Trust): readonly string[] => [
  ...(trust.publicClients ? ['publicClients'] : []),
  ...(trust.kind === 'assertion' && trust.jtiReuse ? ['jtiReuse'] : []),
  ...(trust.freshnessEvidence === 'issued_at' ? ['freshnessEvidence'] : []),
  ...(trust.profile === 'rfc7523' ? ['profile'] : []),
  ...(trust.at === 'own' ? [] : ['at']),
]
