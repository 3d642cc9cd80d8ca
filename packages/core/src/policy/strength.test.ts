import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const demanding =
  'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]\nmfa: [{ name: strong, strength: phishing_resistant }]'
const isStrong = (strength: string, given: Parameters<typeof aSituation>[0]): boolean =>
  decide(aPolicy(`${demanding}\n${strength}`), aSituation({ request: ['orders:read'], amr: [], ...(given as object) })).kind === 'allow'
const reasonsOf = (text: string): readonly string[] => {
  const compiled = compilePolicy(`version: 1\n${text}`)
  return compiled.ok ? [] : compiled.error.map(({ reason }) => reason)
}

describe('a tenant says what the evidence of its own IdPs means', () => {
  const both = 'strength: [{ name: s, acr: "urn:a", amr: [x, y], means: phishing_resistant }]'
  test.each([
    ['a class alone', 'acr: { "urn:a": phishing_resistant }', { acr: 'urn:a' }, true],
    ['another class', 'acr: { "urn:a": phishing_resistant }', { acr: 'urn:b' }, false],
    ['a weaker meaning', 'acr: { "urn:a": multi_factor }', { acr: 'urn:a' }, false],
    ['class and methods together', both, { acr: 'urn:a', amr: ['x', 'y', 'z'] }, true],
    ['only one of two methods', both, { acr: 'urn:a', amr: ['x'] }, false],
    [
      'methods alone, beside whatever class',
      'strength: [{ name: s, amr: [x], means: phishing_resistant }]',
      { acr: 'urn:z', amr: ['x'] },
      true,
    ],
    ['methods without the class', both, { amr: ['x', 'y'] }, false],
    ['this connection', 'strength: [{ name: s, connection: c1, acr: a, means: phishing_resistant }]', { connection: 'c1', acr: 'a' }, true],
    [
      'another connection',
      'strength: [{ name: s, connection: c1, acr: a, means: phishing_resistant }]',
      { connection: 'c2', acr: 'a' },
      false,
    ],
  ] as const)('%s', (_, strength, given, strong) => {
    expect(isStrong(strength, given as object)).toBe(strong)
  })

  test('never less than what is proven', () => {
    expect(isStrong('strength: [{ name: s, acr: a, means: single_factor }]', { acr: 'a', amr: ['phr'] })).toBe(true)
  })
})

test.each([
  ['a class that a specification defines', 'acr: { "https://refeds.org/profile/sfa": multi_factor }', 'strength_defined'],
  ['the same as a rule', 'strength: [{ name: s, acr: "https://refeds.org/profile/sfa", means: multi_factor }]', 'strength_defined'],
  ['methods that RFC 8176 defines', 'strength: [{ name: s, amr: [pwd, pin], means: multi_factor }]', 'strength_defined'],
  ['no evidence', 'strength: [{ name: s, means: multi_factor }]', 'strength_without_evidence'],
])('%s is refused at save', (_, text, reason) => {
  expect(reasonsOf(text)).toEqual([reason])
})

test('a defined method beside one of the IdP’s own may be given a meaning', () => {
  expect(reasonsOf('strength: [{ name: s, amr: [pwd, corp-token], means: multi_factor }]')).toEqual([])
})
