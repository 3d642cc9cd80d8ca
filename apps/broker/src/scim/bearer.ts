/** Who speaks SCIM: the bearer of a tenant's token, which names the connection whose people it provisions. RFC 7644 §2. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findLivingScimToken } from '@drawbridge/store/scim-tokens'
import type { ScimCaller, SubjectLink } from '@drawbridge/store/scim-users'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedConnection } from '../http/tenant.js'
import { refuseScim } from './scim-answer.js'

const bearer = /^Bearer +([A-Za-z0-9_-]{20,200})$/i

/** The token is looked up inside the tenant of the path, so one tenant's token is nothing at another's address. */
export async function authorizeScim(http: HttpRequest, deps: BrokerDeps): Promise<Result<ScimCaller, Answer>> {
  const header = http.headers['authorization']
  if (header === undefined) return err(refuseScim({ reason: 'scim_token_missing' }))
  const credential = bearer.exec(header)?.[1]
  if (credential === undefined) return err(refuseScim({ reason: 'scim_token_invalid' }))
  const tenant = tenantOf(http).id
  const now = deps.clock.now()
  const token = await inTenant(deps.database, tenant, (db) => findLivingScimToken(db, tenant, hashCredential(credential), now))
  if (token === undefined) return err(refuseScim({ reason: 'scim_token_invalid' }))
  const connection = tenantOf(http).connection(token.connectionId)
  const endDate = connection?.configuration.ok ? connection.configuration.value.directory.endDate : undefined
  const link = subjectLinkOf(connection)
  return ok({ tenant, connectionId: token.connectionId, now, requestId: http.requestId, newId: () => deps.random.uuid(), link, endDate })
}

/**
 * Where subjects of this connection recorded the value of its link key: in whichever claims are mapped from that attribute, and in the
 * stable id where the attribute is what the stable id is made of.
 */
export function subjectLinkOf(connection: ResolvedConnection | undefined): SubjectLink | undefined {
  if (!connection?.configuration.ok) return undefined
  const { scimLinkKey: key, mapping } = connection.configuration.value
  if (key === undefined) return undefined
  const protocols = connection.kind === 'saml' ? 'NameID' : 'sub'
  // Several attributes together are equal to none of them: then only a claim that is mapped from it tells.
  const stable =
    mapping.stableId.from === 'attribute' ? mapping.stableId.name : mapping.stableId.from === 'protocol' ? protocols : undefined
  const claims = mapping.claims.filter((rule) => rule.from.includes(key.attribute)).map((rule) => rule.claim)
  return { scim: key.scim, claims, isStableId: stable === key.attribute }
}
