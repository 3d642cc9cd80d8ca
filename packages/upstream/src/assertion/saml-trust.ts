/**
 * A trust in SAML assertions that clients bring. RFC 7522. Parsed here from the `configuration` of a connection of kind `assertion` whose
 * `profile` is `saml2-bearer` (docs/adr/0078).
 *
 * The stored JSON (unknown members are refused, so that a misspelt one is never silently ignored):
 *
 *   profile              'saml2-bearer'
 *   keysOf               connection id          a SAML login connection: its entity ID and certificates are those of this trust, as its metadata
 *                                               has them at each moment; or
 *   issuer               URI                    the only Issuer that is believed, compared exactly, and
 *   certificates         string[] 1..8          PEM or bare base64; all are trusted at once, so that a rollover works
 *   clients              string[]               who may bring its assertions: they name no client, so the trust does
 *   at                   'own' | 'front' | 'both'   at which issuer it holds: the tenant's own, or the front, where another client of the same name may
 *                                               be known (docs/adr/0090); default 'own'
 *   publicClients        boolean                clients that cannot prove themselves may bring them, too; default false
 *   encryption           'off' | 'accepted' | 'required'   encrypted assertions and names, by AES-GCM; default 'off'
 *   authnInstant         'trusted' | 'untrusted'   whether it is the time of a sign-in (Keycloak, PingOne and OneLogin write the time of issue);
 *                                               default 'trusted'
 *   freshnessEvidence    'auth_time' | 'issued_at'   what proves a sign-in after a barrier: only the time of one, or that the issuer makes an
 *                                               assertion at all; default 'auth_time'
 *   clockSkewSeconds     0..300                 how far the issuer's clock may be from ours, either way; default 180
 *   peopleOf             {connection, key}      its people are those of this login connection: the attribute `key`, or `NameID`, which the admin
 *                                               declares to be controlled by the IdP, holds what names them there. Default: people of their own
 *   mapping              how attributes become our claims, groups and stable id: `parseClaimMapping` of core; default: sensible
 *   stableIdAttribute    string                 short for mapping.stableId.attribute; not with peopleOf, whose key it is
 *   groupsAttribute      string                 short for mapping.groups.from with one name
 *   scimLinkKey          {attribute, scim: 'userName' | 'externalId'}   how a SCIM user is linked: an IdP-controlled value only (security.md §3)
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { HeldAt } from '@drawbridge/core/tenant/at-issuer'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { z } from 'zod'
import { mostCertificates, type SamlConnection, toUsablePem } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { samlPartyMembers } from '../saml/configuration.js'
import { connectionOfTrust, parsePeople, peopleMembers, placeMembers, type TrustPeople, trustTextLength } from './trust-people.js'

export const samlTrustLimits = { certificateLength: 16_384, clients: 64 } as const

/** How `key` of `peopleOf` calls the name of the subject itself. */
export const nameIdKey = 'NameID'

export const samlBearerProfile = 'saml2-bearer'

const schema = z.strictObject({
  profile: z.literal(samlBearerProfile),
  keysOf: connectionOfTrust.optional(),
  issuer: z.string().min(1).max(trustTextLength).optional(),
  certificates: z.array(z.string().max(samlTrustLimits.certificateLength)).min(1).max(mostCertificates).optional(),
  clients: z.array(z.string().min(1).max(2048)).min(1).max(samlTrustLimits.clients),
  publicClients: z.boolean().default(false),
  encryption: samlPartyMembers.encryption,
  authnInstant: z.enum(['trusted', 'untrusted']).default('trusted'),
  freshnessEvidence: z.enum(['auth_time', 'issued_at']).default('auth_time'),
  clockSkewSeconds: samlPartyMembers.clockSkewSeconds,
  ...placeMembers,
  ...peopleMembers,
})
type Members = z.output<typeof schema>

/** Who the issuer is and which its keys are: said here, or those of a login connection. */
export type TrustedIssuer =
  | { readonly keysOf: undefined; readonly issuer: string; readonly certificates: readonly string[] }
  | { readonly keysOf: ConnectionId }

export type SamlTrust = TrustPeople & {
  readonly kind: 'saml-assertion'
  readonly profile: typeof samlBearerProfile
  readonly from: TrustedIssuer
  readonly clients: readonly string[]
  /** At which issuers it holds. */
  readonly at: HeldAt
  readonly publicClients: boolean
  readonly encryption: SamlConnection['encryption']
  readonly authnInstant: 'trusted' | 'untrusted'
  readonly freshnessEvidence: 'auth_time' | 'issued_at'
  readonly clockSkewSeconds: number
}

type Parsed<T> = Result<T, UpstreamRefusal>
const invalid = (member: string, message: string): { readonly ok: false; readonly error: UpstreamRefusal } =>
  err({ reason: 'connection_configuration_invalid', detail: { member, message } })

/** Whether what is stored, or submitted, is of this kind. */
export const isOfSamlTrust = (configuration: unknown): boolean =>
  (configuration as { readonly profile?: unknown } | null | undefined)?.profile === samlBearerProfile

/** Reads a stored or submitted trust. Every mistake names its member. */
export function parseSamlTrust(configuration: unknown): Parsed<SamlTrust> {
  const parsed = schema.safeParse(configuration)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return invalid(issue?.path.map(String).join('.') || 'configuration', issue?.message ?? '')
  }
  const { data } = parsed
  const from = parseIssuer(data)
  if (!from.ok) return from
  const people = parsePeople(data, nameIdKey)
  if (!people.ok) return people
  const { profile, clients, at, publicClients, encryption, authnInstant, freshnessEvidence, clockSkewSeconds } = data
  const rules = { profile, clients, at, publicClients, encryption, authnInstant, freshnessEvidence, clockSkewSeconds }
  return ok({ kind: 'saml-assertion', from: from.value, ...rules, ...people.value })
}

function parseIssuer({ keysOf, issuer, certificates }: Members): Parsed<TrustedIssuer> {
  if (keysOf !== undefined) {
    const beside = issuer === undefined ? (certificates === undefined ? undefined : 'certificates') : 'issuer'
    return beside === undefined
      ? ok({ keysOf: keysOf as ConnectionId })
      : invalid(beside, 'keysOf says whose keys they are: nothing stands beside it')
  }
  if (issuer === undefined || certificates === undefined)
    return invalid(issuer === undefined ? 'issuer' : 'certificates', 'keysOf, or issuer and certificates')
  // SAML Core §8.3.6: an entity is named by a URI. A plain word could be anybody's.
  if (!URL.canParse(issuer)) return invalid('issuer', 'the entity ID is a URI')
  const pems: string[] = []
  for (const [index, certificate] of certificates.entries()) {
    const pem = toUsablePem(certificate)
    if (pem === undefined) return err({ reason: 'connection_certificate_invalid', detail: { member: `certificates[${index}]` } })
    pems.push(pem)
  }
  return ok({ keysOf: undefined, issuer, certificates: pems })
}
