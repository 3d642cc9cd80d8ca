/**
 * A trust: whose assertions about people a tenant accepts at its token endpoint, and what is believed of them. Parsed here from the
 * `configuration` of a connection of kind `assertion`, which no browser is ever sent to (docs/adr/0070).
 *
 * The stored JSON (unknown members are refused, so that a misspelt one is never silently ignored):
 *
 *   issuer               https URL              the only `iss` that is believed, compared exactly
 *   jwks                 {keys}                 its public keys; or
 *   jwksUri              https URL              where it publishes them; never both
 *   algorithms           string[]               asymmetric ones alone; default ES256, RS256, PS256, EdDSA
 *   profile              'id-jag' | 'rfc7523'   id-jag demands `typ: oauth-id-jag+jwt` and `client_id`; default 'id-jag'
 *   clients              string[]               who may bring its assertions; default with id-jag: whomever they name. rfc7523 needs it
 *   at                   'own' | 'front' | 'both'   at which issuer it holds: the tenant's own, or the front, where another client of the same name may
 *                                               be known (docs/adr/0090); default 'own'
 *   publicClients        boolean                clients that cannot prove themselves may bring them, too; default false
 *   tenant               string                 of an issuer that speaks for many companies: the only value that is believed of `tenantClaim`.
 *                                               Without it an assertion that names a tenant is refused
 *   tenantClaim          string                 where the company stands; default `tenant` (Google: `hd`, Entra: `tid`)
 *   jtiReuse             boolean                the same assertion may be redeemed until it expires (some clients keep it); default false: once
 *   mostLifeSeconds      30..3600               from its issue to its end; default 300
 *   freshnessEvidence    'auth_time' | 'issued_at'   what proves a sign-in after a barrier: only `auth_time`, or that the issuer makes an
 *                                               assertion at all; default 'auth_time'
 *   peopleOf             {connection, key}      its people are those of this login connection: the claim `key`, which the admin declares to be
 *                                               controlled by the IdP, holds what names them there. Default: they are people of their own
 *   mapping              how claims become our claims, groups and stable id: `parseClaimMapping` of core; default: sensible
 *   stableIdAttribute    string                 short for mapping.stableId.attribute; not with peopleOf, whose key it is
 *   groupsAttribute      string                 short for mapping.groups.from with one name
 *   scimLinkKey          {attribute, scim: 'userName' | 'externalId'}   how a SCIM user is linked: an IdP-controlled value only (security.md §3)
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ForeignAlgorithm, foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { readForeignJwks } from '@drawbridge/crypto/foreign-jwks'
import type { ForeignKey } from '@drawbridge/crypto/foreign-jwt'
import { z } from 'zod'
import { isSecureUrl } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { parsePeople, peopleMembers, placeMembers, type TrustPeople, trustTextLength } from './trust-people.js'

export const assertionTrustLimits = {
  keys: 20,
  clients: 64,
  leastLifeSeconds: 30,
  mostLifeSeconds: 3600,
} as const

/** Whoever signs in to one of these is of any company in the world. */
const sharedIssuers: readonly string[] = ['https://accounts.google.com']

const text = z.string().min(1).max(trustTextLength)
const schema = z.strictObject({
  issuer: text,
  jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(assertionTrustLimits.keys) }).optional(),
  jwksUri: text.optional(),
  algorithms: z.array(z.enum(foreignAlgorithms)).min(1).default(['ES256', 'RS256', 'PS256', 'EdDSA']),
  profile: z.enum(['id-jag', 'rfc7523']).default('id-jag'),
  clients: z.array(z.string().min(1).max(2048)).min(1).max(assertionTrustLimits.clients).optional(),
  publicClients: z.boolean().default(false),
  tenant: text.optional(),
  tenantClaim: text.default('tenant'),
  jtiReuse: z.boolean().default(false),
  mostLifeSeconds: z.int().min(assertionTrustLimits.leastLifeSeconds).max(assertionTrustLimits.mostLifeSeconds).default(300),
  freshnessEvidence: z.enum(['auth_time', 'issued_at']).default('auth_time'),
  ...placeMembers,
  ...peopleMembers,
})
type Members = z.output<typeof schema>

export type AssertionTrust = Readonly<Omit<Members, 'jwks' | keyof typeof peopleMembers | 'algorithms' | 'tenant'>> &
  TrustPeople & {
    readonly kind: 'assertion'
    readonly algorithms: readonly ForeignAlgorithm[]
    /** Undefined: they are at `jwksUri`. */
    readonly keys: readonly ForeignKey[] | undefined
    /** Undefined: the issuer speaks for one company. */
    readonly tenant: string | undefined
  }

type Parsed<T> = Result<T, UpstreamRefusal>
const invalid = (member: string, message: string): { readonly ok: false; readonly error: UpstreamRefusal } =>
  err({ reason: 'connection_configuration_invalid', detail: { member, message } })

/** Reads a stored or submitted trust. Every mistake names its member. */
export function parseAssertionTrust(configuration: unknown): Parsed<AssertionTrust> {
  const parsed = schema.safeParse(configuration)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return invalid(issue?.path.map(String).join('.') || 'configuration', issue?.message ?? '')
  }
  const {
    jwks,
    mapping: _mapping,
    stableIdAttribute: _stable,
    groupsAttribute: _groups,
    peopleOf: _people,
    scimLinkKey: _link,
    ...rest
  } = parsed.data
  const insecure = (['issuer', 'jwksUri'] as const).find((member) => rest[member] !== undefined && !isSecureUrl(rest[member]))
  if (insecure !== undefined) return err({ reason: 'connection_url_insecure', detail: { member: insecure } })
  const mistake = findMistake(parsed.data)
  if (mistake !== undefined) return invalid(mistake.member, mistake.message)
  const keys = jwks === undefined ? ok(undefined) : readKeys(jwks)
  if (!keys.ok) return keys
  const people = parsePeople(parsed.data)
  if (!people.ok) return people
  return ok({
    kind: 'assertion',
    ...rest,
    tenant: rest.tenant,
    keys: keys.value,
    ...people.value,
  })
}

/** What no single member can say. */
function findMistake({ issuer, jwks, jwksUri, profile, clients, tenant }: Members) {
  if ((jwks === undefined) === (jwksUri === undefined)) return { member: 'jwks', message: 'jwks or jwksUri, exactly one of them' }
  if (profile === 'rfc7523' && clients === undefined)
    return { member: 'clients', message: 'an assertion that names no client could be brought by any: list who may' }
  if (sharedIssuers.includes(issuer) && tenant === undefined)
    return { member: 'tenant', message: 'this issuer speaks for every company of the world: say which value of which claim is yours' }
  return undefined
}

/** A key that is none, or holds a secret, is left out when it is fetched; an admin who enters one has made a mistake. */
function readKeys(jwks: NonNullable<Members['jwks']>): Parsed<readonly ForeignKey[]> {
  const keys = readForeignJwks(jwks)
  return keys.ok && keys.value.length === jwks.keys.length
    ? keys
    : invalid('jwks', 'public signing keys alone: RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519')
}
