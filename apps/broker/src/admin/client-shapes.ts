/** Clients as the admin API writes and shows them. */

import { isAcceptableLogoutUri } from '@drawbridge/core/logout/logout-token'
import {
  type ApprovalLost,
  type Client,
  clientAuthMethods,
  holdsSecretKey,
  isAcceptableJwksUri,
  judgedMembers,
} from '@drawbridge/core/oauth/client'
import { certificateNameKinds, parseCertificateName } from '@drawbridge/core/oauth/client-certificate'
import { type ClientSecret, secretIdOf } from '@drawbridge/core/oauth/client-secret'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { holdsKeyBeyondLimits, publicKeyLimits } from '@drawbridge/core/oauth/json-web-key'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { machineAccessShape } from '@drawbridge/core/oauth/machine-access'
import { couldBePersons } from '@drawbridge/core/oauth/machine-subject'
import { isAcceptableRedirectUri } from '@drawbridge/core/oauth/redirect-uri'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import { subjectTypeOf, subjectTypes } from '@drawbridge/core/oauth/subject-type'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import { z } from 'zod'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const certificateName = z.strictObject({
  kind: z.enum(certificateNameKinds).describe('The subject as RFC 4514 writes it, or one of its alternative names'),
  value: z.string().min(1).max(1024),
})

export const clientSecretShape = z.strictObject({
  id: z.string(),
  createdAt: timeOrNull.describe('Null: by a version that did not note it'),
  expiresAt: timeOrNull.describe('From then on it proves nothing; null: no end'),
  lastUsedAt: timeOrNull.describe('When it last got the client a token, exact to an hour; null: not since that is noted'),
})
export const showSecret = (secret: ClientSecret): z.output<typeof clientSecretShape> => ({
  id: secretIdOf(secret),
  createdAt: toIsoOrNull(secret.createdAt),
  expiresAt: toIsoOrNull(secret.expiresAt),
  lastUsedAt: toIsoOrNull(secret.lastUsedAt),
})

export const clientShape = z.strictObject({
  clientId: z.string(),
  kind: z.enum(['metadata_document', 'dynamic', 'preregistered']),
  name: z.string(),
  redirectUris: z.array(z.string()),
  grantTypes: z.array(z.string()),
  tokenEndpointAuthMethod: z.enum(clientAuthMethods),
  dpopBoundAccessTokens: z.boolean().describe('It takes only tokens that are bound to its key: RFC 9449 §5.2'),
  applicationType: z.enum(['native', 'web']),
  preApproved: z.boolean(),
  documentDigest: z
    .string()
    .nullable()
    .describe('Of what an admin judges of a client that speaks for itself; null: an admin registered it, or it said nothing since'),
  approvalLost: z
    .strictObject({
      at: time,
      changed: z.array(z.enum(judgedMembers)),
      before: z.strictObject({
        name: z.string(),
        redirectUris: z.array(z.string()),
        grantTypes: z.array(z.string()),
        tokenEndpointAuthMethod: z.string(),
        certificateName: certificateName.nullable(),
        dpopBoundAccessTokens: z.boolean(),
        jwks: z.unknown(),
        jwksUri: z.string().nullable(),
        backchannelLogoutUri: z.string().nullable(),
        postLogoutRedirectUris: z.array(z.string()),
      }),
    })
    .nullable()
    .describe('It was approved, until it said something else of itself: since when, what, and what it had said before'),
  scopeCeiling: z.array(z.string()).describe('Empty: all that policy allows'),
  accessTokenTtlSeconds: z.int().nullable(),
  machineAccess: machineAccessShape
    .nullable()
    .describe('Of a client of the front issuer at a tenant: what it may have in its own name there; null: its ceiling says it'),
  blockedAt: timeOrNull,
  blockedBy: z
    .array(z.enum(['vendor', 'tenant']))
    .describe('Who shuts it out: at the front issuer the vendor, the tenant, or both; each lifts its own word alone'),
  documentWithdrawnAt: timeOrNull.describe(
    'Since when its metadata document is gone, or none: it begins nothing, and soon gets no more tokens',
  ),
  lastUsedAt: timeOrNull.describe(
    'When a client that registered itself last got a token, exact to a day; null: never, or another kind of client',
  ),
  stated: z
    .strictObject({ issuer: z.string(), softwareId: z.string().nullable() })
    .nullable()
    .describe('By whose software statement it registered, and about which software; null: it speaks for itself, or an admin for it'),
  backchannelLogoutUri: z.string().nullable().describe('Where it hears of logouts; null: it does not'),
  backchannelLogoutSessionRequired: z.boolean().describe('Its logout tokens must name the session'),
  postLogoutRedirectUris: z.array(z.string()).describe('Where it may have a browser sent after a logout'),
  requirePushedAuthorizationRequests: z.boolean().describe('Its authorization requests must be pushed: RFC 9126'),
  jwks: z.unknown().describe('Its public keys, with private_key_jwt; null: none, or at an address of its own'),
  jwksUri: z.string().nullable().describe('Where it publishes them instead'),
  subjectType: z.enum(subjectTypes).describe('pairwise: it knows people by a sub of its own sector: OIDC Core §8'),
  sectorIdentifier: z.string().nullable().describe('Whom that sub is for: a host, or the client alone; null: public'),
  sectorIdentifierUri: z.string().nullable(),
  secrets: z.array(clientSecretShape).describe('Two at most, the older one first'),
  certificateName: certificateName.nullable().describe('What its certificate must hold, with tls_client_auth'),
  logoUri: z.string().nullable().describe('Where it says that its logo is; people see it once an admin approved the picture'),
  etag: z
    .string()
    .describe('Of everything that is shown here: sent as If-Match, quoted, with a change, it refuses the change of what was not seen'),
})
const showLost = ({ at, changed, before }: ApprovalLost): NonNullable<z.output<typeof clientShape>['approvalLost']> => ({
  at: toIso(at),
  changed: [...changed],
  before: {
    name: before.name,
    redirectUris: [...before.redirectUris],
    grantTypes: [...before.grantTypes],
    tokenEndpointAuthMethod: before.authMethod,
    certificateName: before.certificateName ?? null,
    dpopBoundAccessTokens: before.dpopBoundAccessTokens ?? false,
    jwks: before.jwks ?? null,
    jwksUri: before.jwksUri ?? null,
    backchannelLogoutUri: before.backchannelLogoutUri ?? null,
    postLogoutRedirectUris: [...before.postLogoutRedirectUris],
  },
})
type ShownClient = z.output<typeof clientShape>

/** Another one as soon as anything that an admin is shown is another. A digest, because a client's own version also moves when its document is only fetched again. */
export const showClient = (client: Client): ShownClient => {
  const shown = membersOf(client)
  return { ...shown, etag: sha256Base64url(JSON.stringify(shown)) }
}

/** Of a copy at a tenant both may be; any other client is its own owner's to shut. */
function blockersOf({ tenantId, blockedAt, blockedAtFront, ownBlockedAt }: Client): ShownClient['blockedBy'] {
  if (blockedAt === undefined) return []
  if (tenantId === vendorTenantId) return ['vendor']
  if (blockedAtFront === undefined) return ['tenant']
  return ownBlockedAt === undefined ? ['vendor'] : ['vendor', 'tenant']
}

const membersOf = (client: Client): Omit<ShownClient, 'etag'> => ({
  clientId: client.id,
  kind: client.kind,
  name: client.name,
  redirectUris: [...client.redirectUris],
  grantTypes: [...client.grantTypes],
  tokenEndpointAuthMethod: client.authMethod,
  dpopBoundAccessTokens: client.dpopBoundAccessTokens ?? false,
  applicationType: client.applicationType,
  preApproved: client.preApproved,
  documentDigest: client.documentDigest ?? null,
  approvalLost: client.approvalLost === undefined ? null : showLost(client.approvalLost),
  scopeCeiling: [...client.scopeCeiling],
  accessTokenTtlSeconds: client.accessTokenTtlSeconds ?? null,
  machineAccess: client.machineAccess?.map(({ resource, scopes }) => ({ resource, scopes: [...scopes] })) ?? null,
  blockedAt: toIsoOrNull(client.blockedAt),
  blockedBy: blockersOf(client),
  documentWithdrawnAt: toIsoOrNull(client.documentWithdrawnAt),
  lastUsedAt: toIsoOrNull(client.lastUsedAt),
  stated: client.stated === undefined ? null : { issuer: client.stated.issuer, softwareId: client.stated.softwareId ?? null },
  logoUri: client.logoUri ?? null,
  backchannelLogoutUri: client.backchannelLogoutUri ?? null,
  backchannelLogoutSessionRequired: client.backchannelLogoutSessionRequired ?? false,
  postLogoutRedirectUris: [...client.postLogoutRedirectUris],
  requirePushedAuthorizationRequests: client.requirePushedAuthorizationRequests ?? false,
  jwks: client.jwks ?? null,
  jwksUri: client.jwksUri ?? null,
  certificateName: client.certificateName ?? null,
  subjectType: subjectTypeOf(client),
  sectorIdentifier: client.sectorIdentifier ?? null,
  sectorIdentifierUri: client.sectorIdentifierUri ?? null,
  secrets: client.secrets.map(showSecret),
})

const ttl = z.int().min(60).max(86_400)
const scopeCeiling = z.array(z.string().min(1).max(128)).max(200)
const name = z.string().trim().min(1).max(200)
const redirectUris = z
  .array(
    z
      .url()
      .max(2048)
      .refine((uri) => !uri.includes('#'), 'no fragment: RFC 6749 §3.1.2'),
  )
  .max(20)
const backchannelLogoutUri = z
  .string()
  .max(2048)
  .refine(isAcceptableLogoutUri, 'https without a fragment: OpenID Connect Back-Channel Logout 1.0 §2.2')
const postLogoutRedirectUris = z
  .array(z.string().max(2048).refine(isAcceptableRedirectUri, 'https, http on loopback or a private scheme, without a fragment'))
  .max(20)
  .describe('Where it may have a browser sent after a logout: OpenID Connect RP-Initiated Logout 1.0 §3')
const dpopBoundAccessTokens = z.boolean().describe('It takes only tokens that are bound to its key: RFC 9449 §5.2')
const backchannelLogoutSessionRequired = z.boolean().describe('Its logout tokens must name the session')

const requirePushedAuthorizationRequests = z.boolean().describe('Its authorization requests must be pushed: RFC 9126 §6')
const { rsaLeastBits, rsaMostBits, exponentMostBits } = publicKeyLimits
const beyondKeyLimits = `RSA keys of ${rsaLeastBits} to ${rsaMostBits} bits with an odd exponent of at most ${exponentMostBits}, and coordinates no longer than their curve: RFC 7518 §6`

export const newClient = z
  .strictObject({
    clientId: z
      .string()
      .regex(/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/, 'letters, digits and . _ ~ -, and neither . nor ..')
      .refine(
        (id) => !couldBePersons(id),
        'no UUID and no 256 bits in base64url: a token of its own could be taken for a person’s, RFC 9700 §4.15',
      )
      .optional()
      .describe('Made up when absent'),
    name,
    redirectUris: redirectUris.default([]),
    grantTypes: z
      .array(
        z.enum([
          'authorization_code',
          'refresh_token',
          'client_credentials',
          deviceGrantType,
          jwtBearerGrantType,
          samlBearerGrantType,
          tokenExchangeGrantType,
        ]),
      )
      .min(1)
      .default(['authorization_code', 'refresh_token']),
    tokenEndpointAuthMethod: z.enum(clientAuthMethods).default('none'),
    jwks: z
      .looseObject({
        keys: z
          .array(z.looseObject({ kty: z.string() }))
          .min(1)
          .max(20),
      })
      .refine((jwks) => !holdsSecretKey(jwks), 'public keys only: RFC 7517 §9.2')
      .refine((jwks) => !holdsKeyBeyondLimits(jwks), beyondKeyLimits)
      .optional()
      .describe('For private_key_jwt'),
    jwksUri: z
      .string()
      .refine(isAcceptableJwksUri, 'https without a fragment: RFC 7591 §2')
      .optional()
      .describe('Where it publishes them instead; never both'),
    certificateName: certificateName
      .transform(({ kind, value }, context) => {
        const name = parseCertificateName(kind, value)
        if (name === undefined) context.addIssue({ code: 'custom', path: ['value'], message: 'no such name: RFC 8705 §2.1.2, RFC 4514' })
        return name ?? z.NEVER
      })
      .optional()
      .describe('For tls_client_auth: the one name by which its certificate is known'),
    applicationType: z.enum(['native', 'web']).default('web'),
    preApproved: z.boolean().default(false),
    scopeCeiling: scopeCeiling.default([]),
    accessTokenTtlSeconds: ttl.optional(),
    backchannelLogoutUri: backchannelLogoutUri.optional().describe('Where it hears of logouts'),
    backchannelLogoutSessionRequired: backchannelLogoutSessionRequired.default(false),
    postLogoutRedirectUris: postLogoutRedirectUris.default([]),
    dpopBoundAccessTokens: dpopBoundAccessTokens.default(false),
    subjectType: z.enum(subjectTypes).optional().describe('For ever; by itself as the tenant chose: OIDC Core §8'),
    sectorIdentifierUri: z
      .string()
      .refine(isAcceptableJwksUri, 'https without a fragment: OIDC Core §8.1')
      .optional()
      .describe('Where all redirect URIs of the sector are listed; read once, at its registration'),
    requirePushedAuthorizationRequests: requirePushedAuthorizationRequests.default(false),
  })
  .refine((client) => client.tokenEndpointAuthMethod !== 'private_key_jwt' || client.jwks !== undefined || client.jwksUri !== undefined, {
    path: ['jwks'],
    message: 'private_key_jwt needs the client’s keys, or where they are',
  })
  .refine((client) => (client.tokenEndpointAuthMethod === 'tls_client_auth') === (client.certificateName !== undefined), {
    path: ['certificateName'],
    message: 'tls_client_auth needs the name in the client’s certificate, and nothing else has one',
  })
  .refine((client) => client.jwks === undefined || client.jwksUri === undefined, {
    path: ['jwksUri'],
    message: 'jwks or jwksUri, never both: RFC 7591 §2',
  })
  .refine((client) => !client.grantTypes.includes('client_credentials') || client.tokenEndpointAuthMethod !== 'none', {
    path: ['tokenEndpointAuthMethod'],
    message: 'client_credentials needs a client that can prove itself: RFC 6749 §4.4',
  })
  .refine((client) => !client.grantTypes.includes(tokenExchangeGrantType) || client.tokenEndpointAuthMethod !== 'none', {
    path: ['tokenEndpointAuthMethod'],
    message: 'token exchange needs a client that can prove itself: RFC 8693 §2.1',
  })
  .refine((client) => !client.grantTypes.includes('authorization_code') || client.redirectUris.length > 0, {
    path: ['redirectUris'],
    message: 'authorization_code needs a redirect URI',
  })

export const governance = z.strictObject({
  preApproved: z.boolean().optional().describe('Neither gate is shown'),
  documentDigest: z.string().max(64).optional().describe('As it was shown: nothing is changed if its document says something else by now'),
  scopeCeiling: scopeCeiling.optional(),
  accessTokenTtlSeconds: ttl.nullable().optional(),
  blocked: z.boolean().optional().describe('Refuses what is new; kill the client to end what exists'),
})

export const registrationChange = z.strictObject({
  name: name.optional(),
  redirectUris: redirectUris.min(1).optional(),
  backchannelLogoutUri: backchannelLogoutUri.nullable().optional().describe('Where it hears of logouts; null: nowhere any more'),
  backchannelLogoutSessionRequired: backchannelLogoutSessionRequired.optional(),
  postLogoutRedirectUris: postLogoutRedirectUris.optional(),
  dpopBoundAccessTokens: dpopBoundAccessTokens.optional(),
  requirePushedAuthorizationRequests: requirePushedAuthorizationRequests.optional(),
})
