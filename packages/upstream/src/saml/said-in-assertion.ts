/** What an assertion says of a person and her sign-in, once every rule has held. */
import type { SamlAssertion } from '@drawbridge/core/identity/identity-assertion'
import { type Instant, instant } from '@drawbridge/core/instant'
import type { AssertionFacts } from './assertion-reader.js'
import { replayableUntil } from './profile-rules.js'

export function saidIn(assertion: AssertionFacts): Omit<SamlAssertion, 'connectionId' | 'responseId' | 'sessionIndex'> {
  const statement = assertion.authnStatements[0]
  const issuedAt = assertion.issueInstant as Instant
  return {
    kind: 'saml',
    assertionId: assertion.id,
    issuer: assertion.issuer as string,
    nameId: assertion.nameId,
    attributes: assertion.attributes,
    authnContextClassRef: statement?.classRef,
    authnInstant: statement?.authnInstant as Instant | undefined,
    sessionNotOnOrAfter: earliest(assertion.authnStatements.map((each) => each.sessionNotOnOrAfter)),
    issuedAt,
    replayableUntil: replayableUntil(issuedAt),
  }
}

function earliest(bounds: readonly (Instant | 'invalid' | undefined)[]): Instant | undefined {
  const written = bounds.filter((bound): bound is Instant => typeof bound === 'number')
  return written.length === 0 ? undefined : instant(Math.min(...written))
}
