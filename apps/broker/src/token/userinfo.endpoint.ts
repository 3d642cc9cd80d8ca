/**
 * Userinfo: a client that was granted `openid` asks who the person is.
 *
 * The token says only which grant is meant. Whether that lives, what was granted, and what is known of her, one statement reads at this moment; what
 * her tenant lets clients be told is of the configuration that it saw. One that is bound to a key is worth nothing without its proof. Nothing is taken from an IdP's token, and none is kept.
 */

import { dpopAlgorithms } from '@drawbridge/core/oauth/dpop-proof'
import { type JsonRefusal, oauthErrors } from '@drawbridge/core/oauth/error'
import type { IntrospectedToken } from '@drawbridge/core/oauth/introspection'
import { machineSubject } from '@drawbridge/core/oauth/machine-subject'
import { readPresentedToken, type TokenScheme, tokenSchemeOf, type Userinfo } from '@drawbridge/core/oauth/userinfo'
import { err, ok, type Result } from '@drawbridge/core/result'
import { isBelowBarrier } from '@drawbridge/core/revocation/epochs'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { onHotPath } from '@drawbridge/store/transaction'
import { type AskedOfGrant, findPersonBehind, type PersonBehind } from '@drawbridge/store/userinfo'
import { withNonce } from '../clients/dpop.js'
import { namedAt, subjectToldTo } from '../clients/subject-of-client.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsJson } from '../http/write-error.js'
import { findUnproven, type Presented, readProofOfToken } from './proof-of-token.js'
import { readAccessToken } from './read-access-token.js'
import { settleOneGrant } from './settle-grant.js'
import { tellOfPerson } from './tell-of-person.js'

async function answerUserinfo(http: HttpRequest<unknown, unknown>, deps: BrokerDeps): Promise<Answer> {
  const scheme = tokenSchemeOf(http.headers['authorization'])
  const presented = presentedIn(http)
  if (presented === 'malformed') return refuse({ reason: 'userinfo_request_malformed' }, scheme)
  const token = readPresentedToken(presented)
  if (!token.ok) return refuse({ reason: token.error }, scheme)
  const told = await answerBearer(deps, http, token.value)
  return withNonce(deps, http, tenantOf(http), told.ok ? told.value : refuse(told.error, scheme))
}

/** Its proof is used up last, so that what fails may be asked again with it. */
async function answerBearer(
  deps: BrokerDeps,
  http: HttpRequest<unknown, unknown>,
  presented: Presented,
): Promise<Result<Answer, JsonRefusal>> {
  const tenant = tenantOf(http)
  const read = readAccessToken(deps, tenant, presented.token)
  if (!read) return err({ reason: 'userinfo_token_refused' })
  // Signed by us, so nobody spends what is another's.
  const limited = http.spend('userinfo', `${tenant.id} ${String(read.claims['sub'])}`)
  if (limited) return ok(limited)
  const claimed = readProofOfToken(deps, http, tenant, { ...presented, claims: read.claims })
  if (!claimed.ok) return claimed
  const asked = { tenantId: tenant.id, issuerId: tenant.issuer.id, grantId: read.grantId, now: deps.clock.now() }
  const person = await findSettled(deps, tenant, asked, http.requestId)
  if (!person || person.unsettled || !isOf(read, person, tenant)) return err({ reason: 'userinfo_token_refused' })
  const current = await deps.configuration.atVersion(tenant, person.configurationVersion)
  if (current !== tenant && !readAccessToken(deps, current, presented.token)) return err({ reason: 'userinfo_token_refused' })
  // What the tenant demands of proofs may be otherwise since.
  const proof = current === tenant ? claimed : readProofOfToken(deps, http, current, { ...presented, claims: read.claims })
  if (!proof.ok) return proof
  if (person.subjectId === undefined || !person.identityScopes.includes('openid')) return err({ reason: 'userinfo_scope_missing' })
  const unproven = await findUnproven(deps, current, proof.value)
  if (unproven) return err(unproven)
  const sub = await subjectToldTo(deps, current, person, person.subjectId)
  const told: Userinfo = tellOfPerson(current, person, sub, person.identityScopes)
  return ok(json(told, { headers: { 'cache-control': 'no-store' } }))
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

/** Alive, and of the very grant. */
const isOf = (token: IntrospectedToken, person: PersonBehind, tenant: ResolvedTenant): boolean =>
  token.audience === person.audience &&
  token.claims['sub'] === (person.subjectId ?? machineSubject(person.clientId as ClientId, namedAt(tenant))) &&
  token.claims['client_id'] === person.clientId &&
  !isBelowBarrier(token.epochs, person.epochs)

const boundScheme = `DPoP realm="drawbridge", algs="${dpopAlgorithms.join(' ')}"`

/**
 * Refuses by the scheme that was used, or that a bound token needs. Of a proof it says 401, where the token endpoint says 400: here it is the credential.
 *
 * @spec RFC 6750 §3, §3.1 who presents nothing is told no error
 * @spec RFC 9449 §7.1 a challenge with algs · §7.2 both schemes · §9 use_dpop_nonce
 */
function refuse(refusal: JsonRefusal, presentedAs: TokenScheme | undefined): Answer {
  const { reason } = refusal
  const entry = oauthErrors[reason]
  const scope = reason === 'userinfo_scope_missing' ? ', scope="openid"' : ''
  const error = `, error="${entry.code}", error_description="${entry.say}"${scope}`
  const isOfKey = presentedAs === 'DPoP' || reason === 'userinfo_token_bound'
  const challenge =
    reason === 'userinfo_token_missing'
      ? `Bearer realm="drawbridge", ${boundScheme}`
      : `${isOfKey ? boundScheme : 'Bearer realm="drawbridge"'}${error}`
  const status = reason.startsWith('dpop_') ? 401 : entry.status
  return refuseAsJson({ ...entry, status }, refusal, { headers: { 'www-authenticate': challenge } })
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
    omitsEmpty: true,
    permission: 'access token with the scope openid (Bearer, or DPoP)',
    run: answerUserinfo,
  })

/** @spec OIDC Core §5.3.1 both GET and POST */
export const userinfoEndpoints = [by('GET'), by('POST')] as const
