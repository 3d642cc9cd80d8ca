/**
 * Userinfo: a client that was granted `openid` asks who the person is.
 *
 * The token says only which grant is meant. Whether that lives, what was granted, and what is known of her, one statement reads at this moment; what
 * her tenant lets clients be told is of the configuration that it saw. Nothing is taken from an IdP's token, and none is kept.
 */

import { withDirectory } from '@drawbridge/core/identity/directory-claims'
import { withVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import type { IntrospectedToken } from '@drawbridge/core/oauth/introspection'
import { buildUserinfo, readPresentedToken, scopesTold } from '@drawbridge/core/oauth/userinfo'
import { isBelowBarrier } from '@drawbridge/core/revocation/epochs'
import { onHotPath } from '@drawbridge/store/transaction'
import { type AskedOfGrant, findPersonBehind, type PersonBehind } from '@drawbridge/store/userinfo'
import { claimSourcesOf } from '../admission/claim-sources.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsJson } from '../http/write-error.js'
import { readAccessToken } from './read-access-token.js'
import { settleOneGrant } from './settle-grant.js'

type UserinfoRefusal = 'userinfo_token_missing' | 'userinfo_request_malformed' | 'userinfo_token_refused' | 'userinfo_scope_missing'

async function answerUserinfo(http: HttpRequest<unknown, unknown>, deps: BrokerDeps): Promise<Answer> {
  const presented = presentedIn(http)
  if (presented === 'malformed') return refuse('userinfo_request_malformed')
  const token = readPresentedToken(presented)
  if (!token.ok) return refuse(token.error)
  const tenant = tenantOf(http)
  const read = readAccessToken(deps, tenant, token.value)
  if (!read) return refuse('userinfo_token_refused')
  const asked = { tenantId: tenant.id, issuerId: tenant.issuer.id, grantId: read.grantId, now: deps.clock.now() }
  const person = await findSettled(deps, tenant, asked, http.requestId)
  if (!person || person.unsettled || !isOf(read, person)) return refuse('userinfo_token_refused')
  const current = await deps.configuration.atVersion(tenant, person.configurationVersion)
  if (current !== tenant && !readAccessToken(deps, current, token.value)) return refuse('userinfo_token_refused')
  if (person.subjectId === undefined || !person.identityScopes.includes('openid')) return refuse('userinfo_scope_missing')
  return json(tell(current, person, person.subjectId), { headers: { 'cache-control': 'no-store' } })
}

function presentedIn({ method, headers, form }: HttpRequest<unknown, unknown>): Parameters<typeof readPresentedToken>[0] | 'malformed' {
  const authorization = headers['authorization']
  if (method === 'GET') return { authorization, inForm: undefined }
  if (form.ok) return { authorization, inForm: form.value['access_token'] }
  return form.error.reason === 'form_absent' ? { authorization, inForm: undefined } : 'malformed'
}

/** What is said of a grant is what the present policy leaves of it, wherever that was to take effect at once. */
async function findSettled(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  asked: AskedOfGrant,
  requestId: string,
): Promise<PersonBehind | undefined> {
  const find = () => findPersonBehind(onHotPath(deps.database), asked)
  const person = await find()
  if (!person?.unsettled) return person
  const { configurationVersion } = person
  await settleOneGrant(deps, tenant, { grantId: asked.grantId, configurationVersion, now: asked.now, requestId })
  return find()
}

/** Alive, and of the very grant. A token that is bound to a key is no bearer token: whoever presents it as one has not proved that it is his. */
const isOf = (token: IntrospectedToken, person: PersonBehind): boolean =>
  token.claims['cnf'] === undefined &&
  token.audience === person.audience &&
  token.claims['sub'] === (person.subjectId ?? person.clientId) &&
  token.claims['client_id'] === person.clientId &&
  !isBelowBarrier(token.epochs, person.epochs)

function tell(tenant: ResolvedTenant, person: PersonBehind, sub: string) {
  const may = scopesTold(tenant.toldOfPeople)
  const scopes = person.identityScopes.filter((scope) => scope === 'openid' || may.includes(scope))
  const identity = identityFromJson(person.claims)
  if (!identity.ok) return buildUserinfo(sub, undefined, scopes)
  const known = withDirectory(identity.value, person.directorySays, claimSourcesOf(tenant)(identity.value.connectionId))
  return buildUserinfo(sub, withVerifiedAddress(known, tenant.domains), scopes)
}

/** @spec RFC 6750 §3, §3.1 who presents nothing is told no error */
function refuse(reason: UserinfoRefusal): Answer {
  const entry = oauthErrors[reason]
  const scope = reason === 'userinfo_scope_missing' ? ', scope="openid"' : ''
  const error = reason === 'userinfo_token_missing' ? '' : `, error="${entry.code}", error_description="${entry.say}"${scope}`
  return refuseAsJson(entry, { reason }, { headers: { 'www-authenticate': `Bearer realm="drawbridge"${error}` } })
}

const by = (method: 'GET' | 'POST'): Endpoint =>
  endpoint({
    method,
    path: '/t/:tenant/userinfo',
    spec: 'OIDC Core §5.3',
    summary: 'Tells a client that was granted openid who the person is',
    hot: true,
    cors: true,
    tag: 'OAuth',
    permission: 'access token with the scope openid (Bearer)',
    run: answerUserinfo,
  })

/** @spec OIDC Core §5.3.1 both GET and POST */
export const userinfoEndpoints = [by('GET'), by('POST')] as const
