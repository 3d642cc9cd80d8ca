/** What fetched metadata may change by itself: keys and paths, with old and new trusted together. What it may not is held for the admin. */
import { addSeconds, instant } from '@drawbridge/core/instant'
import { describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aKey, plainMetadata, signCarrying, signMetadata } from './fixtures/vendor-metadata.js'
import { compareMetadata, fingerprintOf, hasChanges } from './metadata-changes.js'
import { endOverlap, heldReasons, judgeRefresh, type RefreshQuestion } from './metadata-refresh.js'
import { planRollover, rolloverOverlapSeconds } from './metadata-rollover.js'

const now = instant(Date.UTC(2026, 10, 23))
const [old, fresh, third] = [aKey().certificate, aKey().certificate, aKey().certificate] as const
const active = (certificates: readonly string[] = [old]): SamlConnection => {
  const parsed = parseConnection('saml', { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates })
  if (!parsed.ok || parsed.value.kind !== 'saml') throw new Error('the fixture parses')
  return parsed.value
}
const judge = (document: string, question: Partial<RefreshQuestion> = {}) =>
  judgeRefresh({
    active: active(),
    document,
    url: 'https://idp.example/metadata',
    pinned: [],
    signedBy: undefined,
    withdrawn: [],
    now,
    ...question,
  })
const offering = (certificates: readonly string[], parts: Partial<Parameters<typeof plainMetadata>[0]> = {}) =>
  plainMetadata({ certificates, ...parts })

describe('who signed it', () => {
  const [publisher, other] = [aFixtureKey(), aFixtureKey()]
  const signedBy = fingerprintOf(publisher.certificate)
  const carrying = (certificates: readonly string[], by = publisher) => signCarrying(offering(certificates), by)
  test('is remembered from the first signed document on', () => {
    expect(judge(carrying([old, fresh]))).toMatchObject({ kind: 'changed', signedBy })
    expect(judge(carrying([old]), { signedBy })).toMatchObject({ kind: 'unchanged', signedBy })
  })
  test.each([
    { what: 'nobody signed', given: offering([old, fresh]) },
    { what: 'nobody signed, and that changes nothing', given: offering([old]) },
    { what: 'another key signed', given: carrying([old, fresh], other) },
    { what: 'somebody signed who is not told', given: signMetadata(offering([old, fresh]), publisher) },
    { what: 'a key signed that the document itself brings', given: carrying([old, other.certificate], other) },
  ])('what $what replaces nothing that was signed', ({ given }) => {
    expect(judge(given, { signedBy })).toMatchObject({ kind: 'held', reason: 'signer_changed' })
  })
  test('a key that the connection trusts for logins already may follow', () => {
    const rolled = { active: active([old, other.certificate]), signedBy }
    expect(judge(carrying([other.certificate], other), rolled)).toMatchObject({
      kind: 'unchanged',
      signedBy: fingerprintOf(other.certificate),
    })
  })
  test('a broken signature is not used, whoever signed before', () => {
    const broken = carrying([old]).replace('urn:idp', 'urn:idq')
    for (const before of [undefined, signedBy])
      expect(judge(broken, { signedBy: before })).toMatchObject({
        kind: 'held',
        reason: 'metadata_unusable',
        findings: ['signature_broken'],
      })
  })
  test('where a certificate is pinned, it alone decides', () => {
    const pinned = { pinned: [other.certificate], signedBy }
    expect(judge(carrying([old], other), pinned)).toMatchObject({ kind: 'unchanged', signedBy: undefined })
  })
})

describe('keys', () => {
  test('nothing new is no change', () => {
    expect(judge(offering([old]))).toMatchObject({ kind: 'unchanged', withdrawn: [] })
  })
  test('a new key is trusted beside the old one, and the difference is told by fingerprint', () => {
    expect(judge(offering([old, fresh]))).toMatchObject({
      kind: 'changed',
      configuration: { certificates: [old, fresh] },
      withdrawn: [],
      change: { certificates: { added: [{ fingerprint: fingerprintOf(fresh) }], removed: [], kept: [fingerprintOf(old)] } },
    })
  })
  test('a key that is listed no more stays until the overlap has passed, and not a moment longer', () => {
    const replaced = judge(offering([fresh]))
    expect(replaced).toMatchObject({
      kind: 'changed',
      configuration: { certificates: [fresh, old] },
      withdrawn: [{ fingerprint: fingerprintOf(old), at: now }],
      change: { certificates: { removed: [] } },
    })
    const later = { active: active([fresh, old]), withdrawn: [{ fingerprint: fingerprintOf(old), at: now }] }
    const end = addSeconds(now, rolloverOverlapSeconds)
    expect(judge(offering([fresh]), { ...later, now: instant(end - 1) })).toMatchObject({ kind: 'unchanged', withdrawn: later.withdrawn })
    expect(judge(offering([fresh]), { ...later, now: end })).toMatchObject({
      kind: 'changed',
      configuration: { certificates: [fresh] },
      withdrawn: [],
      change: { certificates: { removed: [{ fingerprint: fingerprintOf(old) }] } },
    })
  })
  test('the last key is never taken away for want of a document', () => {
    const withdrawn = [{ fingerprint: fingerprintOf(old), at: now }]
    expect(endOverlap({ active: active([old]), withdrawn, now: addSeconds(now, 2 * rolloverOverlapSeconds) })).toEqual({
      kind: 'unchanged',
      withdrawn: [],
    })
  })
  test('a key that comes back is withdrawn no more', () => {
    const withdrawn = [{ fingerprint: fingerprintOf(old), at: now }]
    const end = addSeconds(now, rolloverOverlapSeconds)
    expect(judge(offering([old, fresh]), { active: active([fresh, old]), withdrawn, now: end })).toMatchObject({
      kind: 'unchanged',
      withdrawn: [],
    })
  })
  test('keys that are listed come first where there are more than a connection holds', () => {
    const offered = Array.from({ length: 8 }, () => aKey().certificate)
    expect(planRollover({ trusted: [old, third], offered, withdrawn: [], now })).toEqual({ certificates: offered, withdrawn: [] })
  })
})

test('the address may change on its host', () => {
  expect(judge(offering([old], { ssoUrl: 'https://idp.example/sso/v2' }))).toMatchObject({
    kind: 'changed',
    change: { ssoUrl: { from: 'https://idp.example/sso', to: 'https://idp.example/sso/v2' } },
  })
})

describe('held for the admin, with what would change', () => {
  const pin = aFixtureKey()
  test.each([
    { reason: 'entity_id_changed', given: offering([fresh], { entityId: 'urn:another' }), question: {} },
    { reason: 'endpoint_moved', given: offering([fresh], { ssoUrl: 'https://evil.example/sso' }), question: {} },
    { reason: 'endpoint_moved', given: offering([fresh], { ssoUrl: 'https://idp.example:8443/sso' }), question: {} },
    { reason: 'metadata_outdated', given: offering([fresh], { attributes: ' validUntil="2026-11-22T00:00:00Z"' }), question: {} },
  ] as const)('$reason', ({ reason, given, question }) => {
    expect(judge(given, question)).toMatchObject({
      kind: 'held',
      reason,
      change: { certificates: { added: [{ fingerprint: fingerprintOf(fresh) }] } },
    })
  })
  test.each([
    { found: 'signature_absent', given: offering([fresh]) },
    { found: 'signature_invalid', given: signMetadata(offering([fresh]), aFixtureKey()) },
    { found: 'document_is_html', given: '<html>Sign in</html>' },
    { found: 'document_doctype', given: `<!DOCTYPE x>${offering([fresh])}` },
  ])('metadata_unusable: $found', ({ found, given }) => {
    expect(judge(given, { pinned: [pin.certificate] })).toMatchObject({
      kind: 'held',
      reason: 'metadata_unusable',
      findings: [found],
      change: undefined,
    })
  })
  test('every reason is told in a sentence', () => {
    for (const { cause, remedy } of Object.values(heldReasons)) for (const says of [cause, remedy]) expect(says).toMatch(/^[A-Z].*[.]$/)
  })
})

test('the order of certificates and their spelling are no change', () => {
  const configuration = {
    idpEntityId: 'urn:idp',
    ssoUrl: 'https://idp.example/sso',
    ssoBinding: 'redirect',
    certificates: [fresh, old],
  } as const
  expect(hasChanges(compareMetadata(active([old, fresh]), configuration))).toBe(false)
  expect(hasChanges(compareMetadata(active(), configuration))).toBe(true)
})
