/**
 * Who speaks SCIM: the bearer of a tenant's token, or of an access token of a client that the tenant's admin bound to a connection. Either
 * names the connection whose people are provisioned. RFC 7644 §2.
 */
import type { Instant } from '@drawbridge/core/instant'
import { accessTokenType } from '@drawbridge/core/oauth/access-token'
import { type IntrospectedToken, readIntrospectedToken } from '@drawbridge/core/oauth/introspection'
import { err, ok, type Result } from '@drawbridge/core/result'
import { isBelowBarrier } from '@drawbridge/core/revocation/epochs'
import { narrowerScimScope, type ScimScope, widestScimScope } from '@drawbridge/core/scim/scope'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { ScimCaller } from '@drawbridge/store/scim-caller'
import { findLivingScimToken, findScimClient } from '@drawbridge/store/scim-tokens'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { subjectLinkOf } from '@drawbridge/upstream/subject-link'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { isProvenLately, noteProven, noteUnproven, type Presenting, presentedKey } from '../http/proven-callers.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { scimLimitOf, spendScim } from './limit.js'
import { refuseScim } from './scim-answer.js'

const bearer = /^Bearer +([A-Za-z0-9_.-]{20,4096})$/i

/** Whoever has proven himself lately counts for his token alone, whatever else comes from his address: those of a directory in the cloud are its other customers', too. */
export const sparesAddress = (caller: Presenting, deps: BrokerDeps): boolean => isProvenLately(deps, caller)

/** Taken before the body is read: what the token itself may do is counted after it was looked up, and a refusal by that costs as much as an answer. */
export const sparedLimit = { limit: 'scim_proven', of: presentedKey } as const

/** The bearer of a token, and what it may do. */
export type ScimBearer = ScimCaller & { readonly tokenId: string; readonly scope: ScimScope }

/** Whoever may do anything at all may read, so the endpoints that change nothing ask for no more. */
export async function authorizeScim(http: HttpRequest, deps: BrokerDeps): Promise<Result<ScimBearer, Answer>> {
  const header = http.headers['authorization']
  if (header === undefined) return err(refuseScim({ reason: 'scim_token_missing' }))
  const credential = bearer.exec(header)?.[1]
  if (credential === undefined) return err(refuseScim({ reason: 'scim_token_invalid' }))
  const now = deps.clock.now()
  // A secret of ours has no dots, an access token has two.
  const found = credential.includes('.') ? await byAccessToken(http, deps, credential, now) : await bySecret(http, deps, credential, now)
  if (!found.ok) {
    noteUnproven(deps, http)
    return err(refuseScim({ reason: found.error }))
  }
  noteProven(deps, http, found.value.tokenId)
  const { connectionId, tokenId, scope, configured } = found.value
  const { id: tenant } = tenantOf(http)
  const busy = spendScim(http, scimLimitOf(http), { tokenId, tenant, scope })
  if (busy) return err(busy)
  const connection = configured.connection(connectionId)
  const endDate = connection?.configuration.ok ? connection.configuration.value.directory.endDate : undefined
  const linkAt = (id: ConnectionId) => {
    const configuration = configured.connection(id)?.configuration
    return configuration?.ok ? subjectLinkOf(configuration.value) : undefined
  }
  const caller = { tenant, connectionId, tokenId, scope, now, requestId: http.requestId, newId: () => deps.random.uuid() }
  return ok({ ...caller, link: linkAt(connectionId), linkAt, endDate })
}

/** `configured`: the tenant as it was configured when the token was looked up. A cache that is a second old does not decide whom a change means. security.md §14 */
type FoundToken = {
  readonly connectionId: ConnectionId
  readonly tokenId: string
  readonly scope: ScimScope
  readonly configured: ResolvedTenant
}
type Found = Promise<Result<FoundToken, 'scim_token_invalid' | 'scim_scope_missing'>>

/** Looked up inside the tenant of the path, so one tenant's token is nothing at another's address. */
async function bySecret(http: HttpRequest, deps: BrokerDeps, secret: string, now: Instant): Found {
  const tenant = tenantOf(http)
  const token = await findLivingScimToken(onHotPath(deps.database), tenant.id, hashCredential(secret), now)
  if (token === undefined) return err('scim_token_invalid')
  const { id: tokenId, connectionId, scope } = token
  return ok({ tokenId, connectionId, scope, configured: await deps.configuration.atVersion(tenant, token.configurationVersion) })
}

/**
 * The signature says who made the token and for what; whether it lives, and for which connection its client speaks, is read now. Like
 * introspection: the keys are those of the configuration that the statement saw, so a condemned key opens nothing.
 */
async function byAccessToken(http: HttpRequest, deps: BrokerDeps, text: string, now: Instant): Found {
  const tenant = tenantOf(http)
  const audience = `${tenant.issuer.url}/scim/v2`
  const token = readToken(deps, tenant, { text, audience, now })
  if (token === undefined) return err('scim_token_invalid')
  const asked = { grantId: token.grantId, issuerId: tenant.issuer.id, audience, now }
  const seen = await inTenant(deps.database, tenant.id, (db) => findScimClient(db, tenant.id, asked))
  if (seen === undefined || isBelowBarrier(token.epochs, seen.epochs)) return err('scim_token_invalid')
  const configured = await deps.configuration.atVersion(tenant, seen.configurationVersion)
  if (configured !== tenant && readToken(deps, configured, { text, audience, now }) === undefined) return err('scim_token_invalid')
  const held = widestScimScope(token.scopes.filter((scope) => seen.scopes.includes(scope)))
  return held === undefined ? err('scim_scope_missing') : ok({ ...seen, configured, scope: narrowerScimScope(held, seen.scope) })
}

function readToken(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  { text, audience, now }: { readonly text: string; readonly audience: string; readonly now: Instant },
): IntrospectedToken | undefined {
  const expected = { typ: accessTokenType, issuer: tenant.issuer.url, audience, now, skewSeconds: 0 }
  const verified = deps.signatures.verify(text, tenant.verificationKeys('tokens'), expected)
  // A token that is bound to a key is nobody's who only bears it: RFC 7800 §3.1.
  return verified.ok && verified.value['cnf'] === undefined ? readIntrospectedToken(verified.value) : undefined
}
