/**
 * A drill: access is given to somebody who does not exist, and taken away again, to see how long that takes and whom it reaches.
 *
 * What is given opens nothing: a grant of one scope that no resource server knows, which ends by itself within minutes, so that nobody gains by
 * whoever may order one.
 */
import { identityToJson } from '../identity/identity-json.js'
import { addSeconds, type Instant } from '../instant.js'
import type { Grant, GrantToOpen } from '../oauth/grant.js'
import { openGrant } from '../oauth/grant.js'
import type { ClientId, ConnectionId, Scope, SubjectId } from '../tenant/ids.js'

/** Where the people of drills live. Nobody ever will: RFC 2606 §2. */
export const drillDomain = 'drill.invalid'
/** The client that holds what a drill gives. It has no redirect URI, so nobody can be sent to sign in for it. */
export const drillClientId = 'drawbridge-drill' as ClientId
export const drillRedirectUri = 'urn:drawbridge:drill'
/** The ceiling of that client. No token is without a scope; this one is declared nowhere, so a resource server asks it of nobody. */
export const drillScope = 'drawbridge:drill' as Scope
/** Of all that a drill gives. */
export const drillSeconds = 300

export const drillStableId = (subject: SubjectId): string => `drill-${subject}`

/** She has no claims, is in no group and proved nothing: what an identity of nobody says. */
export const drillIdentity = (connectionId: ConnectionId, stableId: string) =>
  identityToJson({
    ...{ connectionId, stableId, subjectId: undefined, claims: new Map(), groups: { state: 'absent' } },
    authentication: { acr: undefined, amr: [], authenticatedAt: undefined },
    sessionExpiresAt: undefined,
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })

type Decided =
  | 'scopes'
  | 'identityScopes'
  | 'accessTokenTtl'
  | 'refreshTokenTtl'
  | 'refreshEndsAt'
  | 'endsAt'
  | 'acr'
  | 'amr'
  | 'authenticatedAt'
  | 'sessionId'

/** The one way to a grant that no policy is asked about: it could give nothing less. */
export function openDrillGrant(of: Omit<GrantToOpen, Decided>, now: Instant): Grant {
  const ttl = { seconds: drillSeconds, by: 'client', detail: 'a drill' } as const
  const endsAt = addSeconds(now, drillSeconds)
  const nothing = { scopes: [drillScope], identityScopes: [], sessionId: undefined, acr: undefined, amr: [], authenticatedAt: undefined }
  return openGrant({ ...of, ...nothing, accessTokenTtl: ttl, refreshTokenTtl: ttl, refreshEndsAt: endsAt, endsAt }, now)
}
