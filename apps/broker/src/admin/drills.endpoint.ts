/**
 * The material of a drill: somebody who does not exist, and a code for a grant that opens nothing. Whoever runs the drill redeems the code at the
 * token endpoint like every other client, takes the access away, and looks at what becomes of the tokens. `drawbridge drill` does all of it.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { codePrefix, openCode } from '@drawbridge/core/oauth/authorization-code'
import { challengeOf } from '@drawbridge/core/oauth/pkce'
import { findResource, type ResourceServer } from '@drawbridge/core/oauth/resource'
import {
  drillClientId,
  drillIdentity,
  drillRedirectUri,
  drillScope,
  drillSeconds,
  drillStableId,
  openDrillGrant,
} from '@drawbridge/core/revocation/drill'
import type { ConnectionId, GrantId, ScimUserId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { type DrillGround, insertDrillClient, insertDrillSubject } from '@drawbridge/store/drills'
import { openGrantWithCode } from '@drawbridge/store/grants'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { presentTenant } from './check-policy.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

const begin = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/drills',
  tag: 'Revocation',
  summary: 'Begin a drill: a person who does not exist, and a code for tokens of hers that open nothing',
  permission: 'impersonate',
  status: 201,
  body: z.strictObject({
    connectionId: z.uuid().describe('Through which she would have signed in'),
    resource: z.string().min(1).max(2048).describe('Identifier of the resource that her tokens are for'),
    scimUserId: z
      .uuid()
      .optional()
      .describe('Whom the directory of the connection has created for it: userName …@drill.invalid; absent: no directory takes part'),
  }),
  answer: z.strictObject({
    subjectId: idShape,
    tokenEndpoint: z.url(),
    clientId: z.string(),
    redirectUri: z.string(),
    code: z.string().describe('To be redeemed within a minute'),
    codeVerifier: z.string(),
    resource: z.string(),
    expiresAt: time.describe('When all that it gives ends by itself'),
  }),
  refuses: ['reference_unknown', 'drill_impossible'],
  run: async (http, deps) => {
    const asked = tenantOf(http)
    const { connectionId, resource: identifier, scimUserId } = http.parsed
    const resource = findResource(identifier, asked.resources)
    if (resource === undefined || asked.connection(connectionId as ConnectionId) === undefined) return refuseAdmin('reference_unknown')
    // Where it is declared, it opens what its resource server says.
    if (resource.scopes.some(({ name }) => name === drillScope)) return refuseAdmin('drill_impossible')
    const now = deps.clock.now()
    const id = deps.random.uuid() as SubjectId
    const stableId = drillStableId(id)
    const ground = await inTenant(deps.database, asked.id, async (db) => {
      const claims = drillIdentity(connectionId as ConnectionId, stableId)
      const person = {
        id,
        connectionId: connectionId as ConnectionId,
        stableId,
        scimUserId: scimUserId as ScimUserId | undefined,
        claims,
        now,
      }
      const made = await insertDrillSubject(db, asked.id, person)
      if (made === undefined) return undefined
      await insertDrillClient(db, asked.id, asked.issuer.id, now)
      const detail = { resource: identifier, directory: scimUserId !== undefined }
      await audit(db, asked.id, http, deps, { kind: 'drill.begun', subjectId: id, connectionId: connectionId as ConnectionId, detail })
      return made
    })
    if (ground === undefined) return refuseAdmin('drill_impossible')
    const tenant = await presentTenant(deps, asked)
    const opened = await open(deps, {
      tenant,
      ground,
      resource,
      connectionId: connectionId as ConnectionId,
      subjectId: id,
      now,
      requestId: http.requestId,
      address: http.address,
    })
    if (opened === undefined) return refuseAdmin('drill_impossible')
    const given = { ...opened, subjectId: id, clientId: drillClientId, redirectUri: drillRedirectUri, resource: resource.identifier }
    return json(
      { ...given, tokenEndpoint: `${tenant.issuer.url}/token`, expiresAt: toIso(addSeconds(now, drillSeconds)) },
      { status: 201, headers: { 'cache-control': 'no-store' } },
    )
  },
})

type Opening = {
  readonly tenant: ResolvedTenant
  readonly ground: DrillGround
  readonly resource: ResourceServer
  readonly connectionId: ConnectionId
  readonly subjectId: SubjectId
  readonly now: Instant
  readonly requestId: string
  readonly address: string
}

/** By the statement that opens every grant: on whatever has changed since, it opens none. */
async function open(deps: BrokerDeps, opening: Opening): Promise<{ readonly code: string; readonly codeVerifier: string } | undefined> {
  const { tenant, ground, resource, connectionId, subjectId, now, requestId, address } = opening
  const of = { tenantId: tenant.id, issuerId: tenant.issuer.id, clientId: drillClientId }
  const client = await deps.clients.read({ tenantId: tenant.id, issuerId: tenant.issuer.id, id: drillClientId })
  if (client === undefined) return undefined
  const { claimsVersion, directoryVersion, ...epochs } = ground
  const grant = openDrillGrant(
    {
      ...of,
      id: deps.random.uuid() as GrantId,
      ...{ resourceTenantId: resource.tenantId, resourceId: resource.id, audience: resource.identifier },
      ...{ subjectId, connectionId, claimsVersion, directoryVersion, policyVersion: tenant.policyVersion },
      epochs: { ...epochs, client: client.epoch, grant: 1 },
    },
    now,
  )
  const code = `${codePrefix}${deps.random.token()}`
  const codeVerifier = deps.random.token()
  const made = { ...of, grantId: grant.id, codeHash: hashCredential(code), redirectUri: drillRedirectUri, nonce: undefined }
  const written = await openGrantWithCode(onHotPath(deps.database), {
    grant,
    code: openCode({ ...made, codeChallenge: challengeOf(codeVerifier) }, now),
    decidedOn: { configurationVersion: tenant.configurationVersion, clientVersion: client.version },
    authorizationRequestId: undefined,
    detail: { drill: true },
    asked: { requestId, address },
  })
  return written.kind === 'written' ? { code, codeVerifier } : undefined
}

export const drillEndpoints = [begin]
