/**
 * POST /introspect: a resource server asks whether an access token sent to it is alive.
 *
 * One statement proves the caller and reads the barrier, always, whatever the token looks like. The signature is judged by the keys of
 * the configuration that this statement saw, so a key that was declared compromised a moment ago makes its tokens inactive. It runs twice,
 * with a decision between, only for a grant that an admin had a policy change at once and that nobody has decided again yet.
 */
import { buildIntrospection, type IntrospectedToken, inactive, parseIntrospectionRequest } from '@drawbridge/core/oauth/introspection'
import { scopesTold, toldOfPeopleFromJson } from '@drawbridge/core/oauth/userinfo'
import { isBelowBarrier } from '@drawbridge/core/revocation/epochs'
import { Secret } from '@drawbridge/core/secret'
import { hashCredential } from '@drawbridge/crypto/hash'
import { type Introspected, introspectGrant } from '@drawbridge/store/grants'
import { onHotPath } from '@drawbridge/store/transaction'
import { refuse } from '../clients/refuse.js'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import { isProvenLately, noteProven, noteUnproven } from '../http/proven-callers.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { readAccessToken } from './read-access-token.js'
import { refuseForm } from './refuse.js'
import { settleOneGrant } from './settle-grant.js'
import { tellOfPerson } from './tell-of-person.js'

export const introspectEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/introspect',
  spec: 'RFC 7662 §2',
  summary: 'Says whether an access token is alive, to the resource server that it is for',
  hot: true,
  tag: 'OAuth',
  omitsEmpty: true,
  addressLimit: 'introspection_address',
  sparesAddress: (caller, deps) => isProvenLately(deps, caller),
  run: async (http, deps) => {
    const credential = parseResourceCredential(http.headers['authorization'])
    if (!credential) return refuse({ reason: 'resource_credential_refused' })
    if (!http.form.ok) return refuseForm(http.form.error)
    const request = parseIntrospectionRequest(http.form.value)
    if (!request.ok) return refuse(request.error)
    const tenant = tenantOf(http)
    // Before a signature is verified for him.
    const stranger = isProvenLately(deps, http) ? undefined : http.spend(limitAt(tenant, 'tenant_unproven_introspection'), tenant.id)
    if (stranger) return stranger
    const token = readAccessToken(deps, tenant, request.value.token)
    const asked = {
      tenantId: tenant.id,
      issuerId: tenant.issuer.id,
      credentialId: credential.id,
      secretHash: hashCredential(credential.secret),
      grantId: token?.grantId,
      isTenantsOwn: tenant.issuer.kind === 'tenant',
      now: deps.clock.now(),
    }
    const seen = await introspectSettled(deps, tenant, asked, http.requestId)
    if (!seen) {
      noteUnproven(deps, http)
      return refuse({ reason: 'resource_credential_refused' })
    }
    noteProven(deps, http, credential.id)
    const limited = http.spend('introspection', `${tenant.id} ${credential.id}`)
    if (limited) return limited
    if (
      !token ||
      !seen.grant ||
      seen.grant.unsettled ||
      token.audience !== seen.resource ||
      isBelowBarrier(token.epochs, seen.grant.epochs)
    )
      return json(inactive)
    const current = await deps.configuration.atVersion(tenant, seen.grant.configurationVersion)
    if (current !== tenant && !readAccessToken(deps, current, request.value.token)) return json(inactive)
    return json(buildIntrospection(token, seen.grant.scopes, seen.grant.person && tell(current, token, seen.grant.person)))
  },
})

/** What the resource server asks to be told, where her tenant allows it. */
function tell(tenant: ResolvedTenant, { claims }: IntrospectedToken, person: PersonAskedOf) {
  const { sub: _, ...told } = tellOfPerson(tenant, person, String(claims['sub']), scopesTold(toldOfPeopleFromJson(person.asked)))
  return told
}

type PersonAskedOf = NonNullable<NonNullable<Introspected['grant']>['person']>

type Asked = Parameters<typeof introspectGrant>[1]

/** What is said of a grant is what the present policy leaves of it, wherever that was to take effect at once. */
async function introspectSettled(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  asked: Asked,
  requestId: string,
): Promise<Introspected | undefined> {
  const introspect = () => introspectGrant(onHotPath(deps.database), asked)
  const seen = await introspect()
  if (!seen?.grant?.unsettled || asked.grantId === undefined) return seen
  const { configurationVersion } = seen.grant
  await settleOneGrant(deps, tenant, { grantId: asked.grantId, configurationVersion, now: asked.now, requestId })
  return introspect()
}

const basic = /^Basic ([A-Za-z0-9+/]{1,1024}={0,2})$/i
const credentialShape = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([\x21-\x7e]{1,256})$/

/** Ids and secrets of resource credentials are ours and need no percent-encoding, but strict clients encode even a hyphen. @spec RFC 6749 §2.3.1 */
function parseResourceCredential(header: string | undefined): { readonly id: string; readonly secret: Secret } | undefined {
  const encoded = basic.exec(header ?? '')?.[1]
  const halves = encoded === undefined ? [] : Buffer.from(encoded, 'base64').toString('latin1').split(':')
  const match = credentialShape.exec(halves.map(decode).join(':'))
  return match ? { id: match[1] as string, secret: new Secret(match[2] as string) } : undefined
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
