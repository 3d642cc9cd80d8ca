/** Clients as an admin governs them: registered beforehand, approved, held to a ceiling, blocked. */
import { type Client, clientAuthMethods } from '@drawbridge/core/oauth/client'
import type { ClientId, Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertClient, listClients, updateClientGovernance } from '@drawbridge/store/clients'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, refuseAdmin, toIso } from './admin-endpoint.js'

const tag = 'Clients'
const show = (client: Client) => ({
  clientId: client.id,
  kind: client.kind,
  name: client.name,
  redirectUris: client.redirectUris,
  grantTypes: client.grantTypes,
  tokenEndpointAuthMethod: client.authMethod,
  applicationType: client.applicationType,
  preApproved: client.preApproved,
  scopeCeiling: client.scopeCeiling,
  accessTokenTtlSeconds: client.accessTokenTtlSeconds ?? null,
  blockedAt: toIso(client.blockedAt),
})

const list = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/clients',
  tag,
  summary: 'List clients; continue with ?after=<clientId>',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const after = http.query.ok ? http.query.value['after'] : undefined
    return json({ clients: (await inTenant(deps.database, id, (db) => listClients(db, id, after))).map(show) })
  },
})

const ttl = z.int().min(60).max(86_400)
const scopeCeiling = z.array(z.string().min(1).max(128)).max(200)
const newClient = z
  .strictObject({
    clientId: z
      .string()
      .regex(/^[A-Za-z0-9._~-]{1,128}$/, 'letters, digits and . _ ~ -')
      .optional()
      .describe('Made up when absent'),
    name: z.string().trim().min(1).max(200),
    redirectUris: z
      .array(
        z
          .url()
          .max(2048)
          .refine((uri) => !uri.includes('#'), 'no fragment: RFC 6749 §3.1.2'),
      )
      .max(20)
      .default([]),
    grantTypes: z
      .array(z.enum(['authorization_code', 'refresh_token', 'client_credentials']))
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
      .optional()
      .describe('For private_key_jwt'),
    applicationType: z.enum(['native', 'web']).default('web'),
    preApproved: z.boolean().default(false),
    scopeCeiling: scopeCeiling.default([]),
    accessTokenTtlSeconds: ttl.optional(),
  })
  .refine((client) => client.tokenEndpointAuthMethod !== 'private_key_jwt' || client.jwks !== undefined, {
    path: ['jwks'],
    message: 'private_key_jwt needs the client’s keys',
  })
  .refine((client) => !client.grantTypes.includes('client_credentials') || client.tokenEndpointAuthMethod !== 'none', {
    path: ['tokenEndpointAuthMethod'],
    message: 'client_credentials needs a client that can prove itself: RFC 6749 §4.4',
  })
  .refine((client) => !client.grantTypes.includes('authorization_code') || client.redirectUris.length > 0, {
    path: ['redirectUris'],
    message: 'authorization_code needs a redirect URI',
  })

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/clients',
  tag,
  summary: 'Register a client beforehand; its secret is shown once',
  permission: 'configuration:write',
  body: newClient,
  status: 201,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { clientId, tokenEndpointAuthMethod: authMethod, ...body } = http.parsed
    const secret = authMethod.startsWith('client_secret') ? deps.random.token() : undefined
    const id = (clientId ?? deps.random.uuid()) as ClientId
    const client = await inTenant(deps.database, tenant.id, async (db) => {
      const stored = await insertClient(db, tenant.id, {
        ...body,
        id,
        authMethod,
        issuerId: tenant.issuer.id,
        kind: 'preregistered',
        jwks: body.jwks,
        accessTokenTtlSeconds: body.accessTokenTtlSeconds,
        scopeCeiling: body.scopeCeiling as Scope[],
        secretHash: secret === undefined ? undefined : hashCredential(secret),
        now: deps.clock.now(),
      })
      await audit(db, tenant.id, http, deps, {
        kind: 'client.created',
        clientId: id,
        detail: { name: body.name, preApproved: body.preApproved },
      })
      return stored
    })
    return json({ ...show(client), ...(secret === undefined ? {} : { clientSecret: secret }) }, { status: 201 })
  },
})

const governance = z.strictObject({
  preApproved: z.boolean().optional().describe('Neither gate is shown'),
  scopeCeiling: scopeCeiling.optional(),
  accessTokenTtlSeconds: ttl.nullable().optional(),
  blocked: z.boolean().optional().describe('Refuses what is new; kill the client to end what exists'),
})

const govern = adminEndpoint({
  method: 'PATCH',
  path: '/tenants/:tenant/clients/:client',
  tag,
  summary: 'Approve, limit, block or unblock a client',
  permission: 'configuration:write',
  body: governance,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = (http.params['client'] ?? '') as ClientId
    const { scopeCeiling: ceiling, ...say } = http.parsed
    const now = deps.clock.now()
    const after = await inTenant(deps.database, tenant.id, async (db) => {
      const which = { issuerId: tenant.issuer.id, id }
      const governed = await updateClientGovernance(db, tenant.id, which, { ...say, scopeCeiling: ceiling as Scope[] | undefined }, now)
      if (governed) await audit(db, tenant.id, http, deps, { kind: 'client.governed', clientId: id, detail: { ...http.parsed } })
      return governed
    })
    return after ? json(show(after)) : refuseAdmin('not_found')
  },
})

export const clientEndpoints = [list, create, govern]
