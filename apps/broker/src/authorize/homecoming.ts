/** A trip that has come home to the browser that began it, and what a verdict on it depends on, whether it is a login's or a test's. */
import type { LoginAssertion } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import type { LoginToJudge } from '@drawbridge/store/complete-login'
import type { StoredLoginRequest } from '@drawbridge/store/login-requests'
import { askForMetadata } from '@drawbridge/store/metadata-sources'
import { inTenant } from '@drawbridge/store/transaction'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import { askAgainSeconds } from '@drawbridge/upstream/saml/metadata-schedule'
import { addressesOf, type Identified } from '../admission/admit.js'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'

/** An ID token is refused for its age long before this, so its entry may then be swept. */
const idTokenReplaySeconds = 3600

export type Homecoming = {
  readonly http: HttpRequest
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly connection: ResolvedConnection
  readonly browserHash: CredentialHash
  readonly trip: StoredLoginRequest
  readonly now: Instant
}

/**
 * What a signature of a new key looks like to us. Behind AES-CBC it is told from nothing else (`open-encrypted`), so there every failure counts:
 * an IdP that encrypts changes its keys, too.
 */
const mayBeUnknownKey: readonly UpstreamRefusal['reason'][] = ['saml_signature_invalid', 'saml_decryption_failed']

/** A key that we do not know may be a new one. The person is told to try again; how often this counts is in the statement, not in the attacker's hand. */
export async function noteUnknownKey({ deps, tenant, connection, now }: Homecoming, { reason }: UpstreamRefusal): Promise<void> {
  if (!mayBeUnknownKey.includes(reason)) return
  const asked = { now, askedBefore: addSeconds(now, -askAgainSeconds) }
  await inTenant(deps.database, tenant.id, (db) => askForMetadata(db, tenant.id, connection.id, asked))
}

export function loginToJudge({ connection, browserHash, trip, now }: Homecoming, assertion: LoginAssertion, who: Identified): LoginToJudge {
  const { authentication, stableId } = who.identity
  return {
    id: trip.id,
    connectionId: connection.id,
    browserHash,
    issuedAt: assertion.issuedAt,
    now,
    ...replaysOf(assertion, now),
    subject: { stableId },
    scimLink: who.scimLink,
    addresses: addressesOf(who),
    session: { authenticatedAt: authentication.authenticatedAt },
  }
}

/** Both ids of a SAML answer count: the profile forbids a second use of the assertion, and a response is one message. */
function replaysOf(assertion: LoginAssertion, now: Instant): Pick<LoginToJudge, 'replays' | 'replayableUntil'> {
  if (assertion.kind === 'saml') {
    const replays = [
      { kind: 'saml_assertion' as const, id: assertion.assertionId },
      { kind: 'saml_response' as const, id: assertion.responseId },
    ]
    return { replays, replayableUntil: assertion.replayableUntil }
  }
  const id = JSON.stringify([assertion.issuer, assertion.sub, assertion.claims.get('nonce') ?? null, assertion.issuedAt])
  return { replays: [{ kind: 'oidc_id_token', id }], replayableUntil: addSeconds(now, idTokenReplaySeconds) }
}
