/** Signs what an event stream is told of itself: for its receiver who asks, and for an admin who holds it. */
import { toSeconds } from '@drawbridge/core/instant'
import { signJwt } from '@drawbridge/crypto/jwt'
import type { OwnEvent } from '@drawbridge/store/event-streams'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from './tenant.js'

/** An event about a stream itself, signed by the issuer at which it was made. */
export function signOwnEvent(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  { kind, audience, claims }: Pick<OwnEvent, 'kind'> & { readonly audience: string; readonly claims: Readonly<Record<string, unknown>> },
): OwnEvent {
  const jti = deps.random.uuid()
  const set = { iss: tenant.issuer.url, aud: audience, iat: toSeconds(deps.clock.now()), jti, ...claims }
  return { jti, kind, token: signJwt(tenant.signingKey('notices'), { typ: 'secevent+jwt' }, set) }
}
