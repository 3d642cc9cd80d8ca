import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { isVerifiedAddress, parseEmailAddress } from '../identity/email-address.js'
import { addSeconds, instant } from '../instant.js'
import { domainAndParents, parseDomainName } from './domain-name.js'
import { judgeProof, judgeRecords, type ProofState, parseOwnableDomain, proofLimits } from './domain-proof.js'

test.each([
  { text: 'Acme.Example', domain: 'acme.example' },
  { text: ' acme.example. ', domain: 'acme.example' },
  { text: 'bücher.example', domain: 'xn--bcher-kva.example' },
  { text: 'BÜCHER.example', domain: 'xn--bcher-kva.example' },
  { text: 'acme。example', domain: 'acme.example' },
  { text: 'eu.acme.example', domain: 'eu.acme.example' },
])('$text is the domain $domain', ({ text, domain }) => {
  expect(parseOwnableDomain(text)).toEqual({ ok: true, value: domain })
})

test.each([
  '',
  'acme',
  '10.0.0.1',
  '0x7f.1',
  '[::1]',
  'a b.example',
  'acme.example/x',
  'user@acme.example',
  'acme.example:25',
  '-a.example',
  'a..example',
])('%j is no domain', (text) => {
  expect(parseOwnableDomain(text)).toEqual({ ok: false, error: 'domain_malformed' })
})

test.each(
  ['co.uk', 'github.io', 'com.au', 'xn--p1ai.xn--p1ai'.split('.')[0] as string, 'azurewebsites.net'].filter((name) => name.includes('.')),
)('%s belongs to nobody alone', (text) => {
  expect(parseOwnableDomain(text)).toEqual({ ok: false, error: 'domain_public_suffix' })
})

test('the parents of a domain end before the top level', () => {
  expect(domainAndParents('a.b.example' as never)).toEqual(['a.b.example', 'b.example'])
})

test('reading a domain or an address never throws, and a read domain reads as itself', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const domain = parseDomainName(text)
      if (domain !== undefined) expect(parseDomainName(domain)).toBe(domain)
      const address = parseEmailAddress(text)
      if (address !== undefined) expect(parseEmailAddress(address.key)).toEqual(address)
    }),
  )
})

test.each([
  { text: 'Ada@ACME.example', key: 'ada@acme.example' },
  { text: '"a@b"@acme.example', key: '"a@b"@acme.example' },
  { text: 'ada@bücher.example', key: 'ada@xn--bcher-kva.example' },
])('$text is compared as $key', ({ text, key }) => {
  expect(parseEmailAddress(text)?.key).toBe(key)
})
test.each(['ada', '@acme.example', 'ada@', 'ada@acme', 'Ada <ada@acme.example>'])('%j is no address', (text) => {
  expect(parseEmailAddress(text)).toBeUndefined()
})

describe('an address is verified', () => {
  const domains = [
    { domain: 'acme.example', connectionId: undefined, verified: true },
    { domain: 'bound.example', connectionId: 'other', verified: true },
    { domain: 'claimed.example', connectionId: undefined, verified: false },
  ]
  it.each([
    { email: 'ada@acme.example', verified: true },
    { email: 'ADA@ACME.EXAMPLE', verified: true },
    { email: 'ada@sub.acme.example', verified: false },
    { email: 'ada@bound.example', verified: false },
    { email: 'ada@claimed.example', verified: false },
    { email: 'ada@elsewhere.example', verified: false },
    { email: 'ada', verified: false },
  ])('$email: $verified', ({ email, verified }) => {
    expect(isVerifiedAddress(email, 'mine', domains)).toBe(verified)
  })
  it('by the connection to which its domain is bound', () => {
    expect(isVerifiedAddress('ada@bound.example', 'other', domains)).toBe(true)
  })
})

describe('a proof', () => {
  const now = instant(1_800_000_000_000)
  const sound: ProofState = { failingSince: undefined, failedChecks: 0 }
  const hour = 3600
  /** Looks at it every six hours, `count` times; what is left at the end, and every piece of news. */
  const failFor = (check: 'absent' | 'unreachable', count: number) => {
    let state = sound
    const news: string[] = []
    for (let look = 0; look < count; look += 1) {
      const verdict = judgeProof(state, check, addSeconds(now, look * 6 * hour), 0)
      if (verdict.news !== 'none') news.push(`${verdict.news} at look ${look + 1}`)
      state = verdict
    }
    return news
  }
  it('lapses after three days of denials, and says at the first one that it will', () => {
    expect(failFor('absent', 12)).toEqual(['failing at look 1'])
    expect(failFor('absent', 13)).toEqual(['failing at look 1', 'lapsed at look 13'])
  })
  it('of a name server that is silent is given two weeks', () => {
    expect(failFor('unreachable', 56)).toEqual(['failing at look 1'])
    expect(failFor('unreachable', 57)).toEqual(['failing at look 1', 'lapsed at look 57'])
  })
  it('does not lapse by few looks, however far apart', () => {
    const failing = { failingSince: now, failedChecks: proofLimits.failuresToLapse - 2 }
    expect(judgeProof(failing, 'absent', addSeconds(now, 30 * 24 * hour), 0)).toMatchObject({ news: 'none' })
  })
  it('recovers whole', () => {
    expect(judgeProof({ failingSince: now, failedChecks: 3 }, 'proven', addSeconds(now, 60), 0)).toEqual({
      ...{ news: 'recovered', failingSince: undefined, failedChecks: 0, nextCheckAt: addSeconds(now, 60 + 24 * hour) },
    })
  })
  it('is looked at a little earlier by chance, never later', () => {
    expect(judgeProof(sound, 'proven', now, 1).nextCheckAt).toBe(addSeconds(now, 24 * hour * 0.8))
  })
  it('is the exact record, among others, and no other tenant’s', () => {
    expect(judgeRecords(['v=spf1 -all', ' drawbridge-domain-verification=abc '], 'abc')).toBe('proven')
    expect(judgeRecords(['drawbridge-domain-verification=abcd', 'abc', 'drawbridge-domain-verification='], 'abc')).toBe('absent')
  })
})
