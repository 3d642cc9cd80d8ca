/**
 * ID-JAGs that a tenant issues: a signed word that this person may come to a resource of another authorization server through this client. The client
 * brings it there, and that server decides. draft-ietf-oauth-identity-assertion-authz-grant, MCP Enterprise-Managed Authorization.
 *
 * Their issuer is another one than the issuer of the tenant's tokens, by name and by key, so that no server is both the one who says who somebody is
 * and the one who believes it. No issuer of this installation accepts one (ADR 70).
 */
import { z } from 'zod'
import { type Instant, toSeconds } from '../instant.js'
import { sensitivityTiers } from '../policy/decision.js'
import type { Issuer, ResourceId, ResourceIdentifier, Scope, TenantId } from '../tenant/ids.js'
import { issuedAt } from './access-token.js'
import type { KeyThumbprint } from './dpop-proof.js'
import { findResource, type ResourceServer, resourceMaxLength } from './resource.js'
import { isScope } from './scope.js'
import { idJagUrn, tokenExchangeGrantType } from './token-type.js'

export const idJagType = 'oauth-id-jag+jwt'

export const idJagLimits = {
  /** Of a tenant: all of them are in the memory of every process. */
  permissions: 200,
  scopes: 100,
  /** It is used at once. security.md §11 */
  lifeSeconds: 300,
} as const

/** Exactly as that server calls itself: it is compared there byte for byte. */
const audience = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((url) => !/[?#]/.test(url), 'an issuer: without query and fragment, RFC 8414 §2')
  .refine((url) => /^(?:https:|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/])/.test(url), 'https, or http at this very machine')

export const idJagPermissionShape = z.strictObject({
  client: z.string().min(1).max(2048).describe('client_id here: it proves itself, and has the grant type of token exchange'),
  audience: audience.describe('The issuer of the authorization server that it is for, exactly as that calls itself'),
  clientThere: z.string().min(1).max(2048).optional().describe('client_id at that server; left out: the same'),
  tenantThere: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('By what that server knows this company, where it serves many under one issuer: claim aud_tenant'),
  resource: z.string().min(1).max(resourceMaxLength).describe('Identifier of the resource there, as the claim `resource` is to write it'),
  scopes: z
    .array(z.strictObject({ name: z.string().refine(isScope, 'a scope: RFC 6749 §3.3'), tier: z.enum(sensitivityTiers) }))
    .min(1)
    .max(idJagLimits.scopes)
    .describe('The most that it says, each with its tier: policy decides on them as on scopes of a resource here'),
  at: z.literal('front').optional().describe('The client is one of the front issuer, and asks there; left out: of the tenant’s own issuer'),
})
type Wire = z.output<typeof idJagPermissionShape>

/** What makes a permission the same one: of each there is one. */
export const keyOf = ({ client, audience: to, resource, at }: Pick<Wire, 'client' | 'audience' | 'resource' | 'at'>): string =>
  JSON.stringify([client, to, resource, at ?? 'own'])

export const idJagIssuingShape = z.strictObject({
  permissions: z
    .array(idJagPermissionShape)
    .max(idJagLimits.permissions)
    .refine((all) => new Set(all.map(keyOf)).size === all.length, 'one permission for each client, audience and resource at an issuer'),
})
export type IdJagPermission = Wire
export type IdJagIssuing = { readonly permissions: readonly IdJagPermission[] }

const nothing: IdJagIssuing = { permissions: [] }

/** Whatever the store holds. Where nobody has chosen, and where it cannot be read, nothing is issued. */
export function idJagIssuingFromJson(json: unknown): IdJagIssuing {
  const parsed = idJagIssuingShape.safeParse(json)
  return parsed.success ? parsed.data : nothing
}

/**
 * Without a resource the only one that the client may have there is meant; of several none. With one, it is found as a resource here is: SDKs add a
 * slash to one that is a host alone, or write it as its own metadata do. The audience is an issuer, and those are compared letter by letter.
 */
export function findIdJagPermission(
  { permissions }: IdJagIssuing,
  asked: { readonly client: string; readonly audience: string; readonly resource: string | undefined },
): IdJagPermission | undefined {
  const there = permissions
    .filter(({ client, audience: to }) => client === asked.client && to === asked.audience)
    .map((permission) => ({ identifier: permission.resource, permission }))
  if (asked.resource !== undefined) return findResource(asked.resource, there)?.permission
  return there.length === 1 ? there[0]?.permission : undefined
}

/**
 * Who issues them: another issuer than that of the tenant's tokens, and one and the same for clients of the tenant's own issuer and of the front: a
 * person has one name at the other server, whichever way her client came (ADR 90). `issuer`: the tenant's own.
 */
export const idJagIssuerOf = (issuer: Issuer): Issuer => `${issuer}/id-jag` as Issuer

/** The resource of another server, as policy looks at one. It is nobody's here. */
export const resourceOf = (permission: IdJagPermission, tenantId: TenantId): ResourceServer => ({
  tenantId,
  id: '00000000-0000-0000-0000-000000000000' as ResourceId,
  identifier: permission.resource as ResourceIdentifier,
  name: permission.resource,
  scopes: permission.scopes.map(({ name, tier }) => ({ name: name as Scope, tier, description: name, isDefault: true })),
  accessTokenTtlSeconds: undefined,
})

export type IdJag = {
  readonly issuer: Issuer
  readonly subject: string
  readonly permission: IdJagPermission
  readonly scopes: readonly Scope[]
  readonly jti: string
  readonly endsAt: Instant
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: Instant | undefined
  readonly barrierAt: Instant | undefined
  /** What clients of this tenant are told of people: her address, where that is so. */
  readonly told: Readonly<Record<string, string | boolean>>
  /** The key that was proved: only with it is the assertion good. */
  readonly confirmation: KeyThumbprint | undefined
}

/**
 * Builds its claims.
 *
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: iss, sub, aud, client_id, jti, exp, iat; aud_tenant, resource, scope, auth_time, acr, amr, email, cnf
 */
export function buildIdJagClaims({ permission, told, ...jag }: IdJag, now: Instant) {
  return {
    ...told,
    iss: jag.issuer,
    sub: jag.subject,
    aud: permission.audience,
    client_id: permission.clientThere ?? permission.client,
    jti: jag.jti,
    iat: issuedAt(now, jag.barrierAt),
    exp: toSeconds(jag.endsAt),
    ...(permission.tenantThere === undefined ? {} : { aud_tenant: permission.tenantThere }),
    resource: permission.resource,
    scope: jag.scopes.join(' '),
    ...(jag.authenticatedAt === undefined ? {} : { auth_time: toSeconds(jag.authenticatedAt) }),
    ...(jag.acr === undefined ? {} : { acr: jag.acr }),
    ...(jag.amr.length === 0 ? {} : { amr: jag.amr }),
    ...(jag.confirmation === undefined ? {} : { cnf: { jkt: jag.confirmation } }),
  }
}

/**
 * Builds the metadata of the issuer of ID-JAGs: what a server that trusts it looks for, and where a client asks for one, which is the token endpoint
 * of the tenant.
 *
 * @spec RFC 8414 §2
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: identity_chaining_requested_token_types_supported
 */
export const buildIdJagIssuerMetadata = (issuer: Issuer): Readonly<Record<string, string | readonly string[]>> => ({
  issuer: idJagIssuerOf(issuer),
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${idJagIssuerOf(issuer)}/jwks`,
  response_types_supported: ['none'],
  grant_types_supported: [tokenExchangeGrantType],
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  identity_chaining_requested_token_types_supported: [idJagUrn],
})
