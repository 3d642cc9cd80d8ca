import { describe, expect, test } from '@jest/globals'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const granting = 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]'
const missingOf = (demand: string, given: object): string | undefined => {
  const decision = decide(aPolicy(`${granting}\nmfa: [{ name: d, ${demand} }]`), aSituation({ request: ['orders:read'], ...given }))
  return decision.kind === 'allow' ? undefined : decision.missing
}

describe('a demand', () => {
  test('binds the resource that it names and no other', () => {
    expect(missingOf('resource: "https://mcp.example"', {})).toContain('which d demands')
    expect(missingOf('resource: "https://other.example"', {})).toBeUndefined()
    expect(missingOf('strength: multi_factor', {})).toContain('which d demands')
  })

  test.each([
    ['strength: single_factor', 'one proven factor', { amr: [] }],
    ['strength: multi_factor', 'multi-factor authentication', {}],
    ['strength: phishing_resistant', 'phishing-resistant authentication', {}],
    ['strength: phishing_resistant_hardware', 'phishing-resistant authentication by a key in hardware', {}],
    ['strength: multi_factor', 'the identity provider proved single factor', {}],
    ['freshSeconds: 60', 'a sign-in within the last 60 s, which d demands', { amr: ['mfa'], authenticatedSecondsAgo: 61 }],
    ['freshSeconds: 60', 'the time of the sign-in, which d demands', { amr: ['mfa'], authenticatedSecondsAgo: 'unknown' }],
  ] as const)('{ %s } says what is missing: %s', (demand, says, given) => {
    expect(missingOf(demand, given)).toContain(says)
  })
})
