import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { askedValuesLimits, contextsToAsk, parseAcrValues, reachedValue, strengthValues, toldAcr } from './asked-authentication.js'
import { authenticationStrengths } from './authentication-strength.js'

describe('acr_values (OIDC Core §3.1.2.1)', () => {
  test.each([
    { given: undefined, values: [] },
    { given: '', values: [] },
    { given: 'phr  multi_factor phr', values: ['phr', 'multi_factor'] },
    { given: Array.from({ length: 11 }, (_, index) => `v${index}`).join(' '), values: 'malformed' },
    { given: 'x'.repeat(256), values: 'malformed' },
    { given: 'a"b', values: 'malformed' },
    { given: 'a\nb', values: 'malformed' },
  ])('$given: $values', ({ given, values }) => {
    expect(parseAcrValues(given)).toEqual(values)
  })
  test('are bounded whatever comes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const values = parseAcrValues(text)
        return values === 'malformed' || (values.length <= askedValuesLimits.count && values.every((each) => /^[\x21-\x7e]+$/.test(each)))
      }),
    )
  })
})

test.each([
  { asked: ['multi_factor'], acr: 'x', strength: 'multi_factor', reached: 'multi_factor' },
  { asked: ['multi_factor'], acr: 'x', strength: 'phishing_resistant', reached: 'multi_factor' },
  { asked: ['phr', 'multi_factor'], acr: 'x', strength: 'multi_factor', reached: 'multi_factor' },
  { asked: ['phrh'], acr: 'phrh', strength: 'phishing_resistant', reached: undefined },
  { asked: ['multi_factor'], acr: 'multi_factor', strength: 'unknown', reached: undefined },
  { asked: ['single_factor'], acr: undefined, strength: 'unknown', reached: undefined },
  { asked: ['gold', 'silver'], acr: 'silver', strength: 'unknown', reached: 'silver' },
  { asked: ['https://refeds.org/profile/mfa'], acr: 'x', strength: 'phishing_resistant', reached: undefined },
  { asked: ['unknown'], acr: 'x', strength: 'unknown', reached: undefined },
] as const)('of $asked, $acr with $strength reaches $reached', ({ asked, acr, strength, reached }) => {
  expect(reachedValue(asked, { acr, strength })).toBe(reached)
})

test('what an IdP says is told as it says it, but for words that are our own judgement (OIDC Core §2)', () => {
  expect(toldAcr(undefined, { acr: 'urn:x', strength: 'unknown' })).toBe('urn:x')
  expect(toldAcr(undefined, { acr: null, strength: 'unknown' })).toBeUndefined()
  expect(toldAcr('multi_factor', { acr: 'urn:x', strength: 'multi_factor' })).toBe('multi_factor')
  expect(toldAcr('multi_factor', { acr: 'urn:x', strength: 'single_factor' })).toBe('urn:x')
  for (const strength of authenticationStrengths.filter((each) => each !== 'unknown'))
    expect(toldAcr(undefined, { acr: strength, strength: 'unknown' })).toBeUndefined()
})

test('nothing that a client made up reaches an IdP', () => {
  const knows = { listed: ['gold'], stepUp: ['c1'] }
  expect(contextsToAsk(['silver', 'gold'], knows)).toEqual(['gold'])
  expect(contextsToAsk(['phr'], knows)).toEqual(['c1'])
  expect(contextsToAsk(['c1', 'multi_factor'], knows)).toEqual(['c1'])
  expect(contextsToAsk(['single_factor'], knows)).toEqual([])
  const values = fc.array(fc.oneof(fc.string(), fc.constantFrom(...strengthValues, 'gold', 'c1')))
  fc.assert(fc.property(values, (asked) => contextsToAsk(asked, knows).every((each) => each === 'gold' || each === 'c1')))
})
