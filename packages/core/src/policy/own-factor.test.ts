/** What a factor of ours adds to a sign-in in the eyes of policy: strength, and the time of the oldest part that it needs. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { methodsOfKind } from '../factor/second-factor.js'
import { authenticationStrength, strengthBeside } from '../identity/authentication-strength.js'
import type { AuthenticationContext } from '../identity/normalized-identity.js'
import { addSeconds, instant } from '../instant.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const everything = 'rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }]'
const demanding = (strength: string) => aPolicy(`${everything}\nmfa: [{ name: strong, strength: ${strength}, freshSeconds: 300 }]`)

type Given = {
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly signedInSecondsAgo?: number | 'unknown'
  readonly own?: readonly string[]
  readonly ownSecondsAgo?: number
}
function outcomeOf(strength: string, { acr, amr = [], signedInSecondsAgo = 10, own = [], ownSecondsAgo = 5 }: Given): string {
  const input = aSituation({ request: ['orders:read'] })
  const ago = (seconds: number) => addSeconds(input.now, -seconds)
  const authentication: AuthenticationContext = {
    ...{ acr, amr, authenticatedAt: signedInSecondsAgo === 'unknown' ? undefined : ago(signedInSecondsAgo) },
    ...(own.length > 0 && { ownFactor: { methods: own, provedAt: ago(ownSecondsAgo) } }),
  }
  return decide(demanding(strength), { ...input, identity: { ...input.identity, authentication } }).kind
}
const { passkey, totp } = methodsOfKind
const password = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'

describe('a demand of several factors', () => {
  test.each([
    ['a password alone', { amr: ['pwd'] }, 'stepUp'],
    ['a password and our code', { amr: ['pwd'], own: totp }, 'allow'],
    ['a class of passwords and our code', { acr: password, own: totp }, 'allow'],
    ['a code of the IdP and ours: one category twice', { amr: ['otp'], own: totp }, 'stepUp'],
    ['our code, and an IdP that says nothing', { own: totp }, 'stepUp'],
    ['our code, and a class that names no kind', { acr: 'https://refeds.org/profile/sfa', own: totp }, 'stepUp'],
    ['a passkey, whatever the IdP says', { own: passkey }, 'allow'],
    ['a passkey, beside a sign-in of hours ago', { amr: ['pwd'], signedInSecondsAgo: 9000, own: passkey }, 'allow'],
    ['a passkey of hours ago', { amr: ['pwd'], own: passkey, ownSecondsAgo: 9000 }, 'stepUp'],
    ['our code, beside a password of hours ago', { amr: ['pwd'], signedInSecondsAgo: 9000, own: totp }, 'stepUp'],
    ['our code, beside a password of nobody knows when', { amr: ['pwd'], signedInSecondsAgo: 'unknown', own: totp }, 'stepUp'],
    ['our code of hours ago', { amr: ['pwd'], own: totp, ownSecondsAgo: 9000 }, 'stepUp'],
    [
      'several at the IdP, hours ago, and our code: each alone is too little',
      { amr: ['mfa'], signedInSecondsAgo: 9000, own: totp },
      'stepUp',
    ],
  ] as const)('%s: %s', (_, given, outcome) => {
    expect(outcomeOf('multi_factor', given as Given)).toBe(outcome)
  })
})

describe('a demand of what cannot be phished', () => {
  test.each([
    ['several factors at the IdP and our code', { amr: ['pwd', 'otp'], own: totp }, 'stepUp'],
    ['a key at the IdP and our code', { amr: ['pop'], own: totp }, 'stepUp'],
    ['a passkey', { own: passkey }, 'allow'],
  ] as const)('%s', (_, given, outcome) => {
    expect(outcomeOf('phishing_resistant', given as Given)).toBe(outcome)
  })
  test('a passkey of ours is not called hardware', () => {
    expect(outcomeOf('phishing_resistant_hardware', { amr: ['hwk'], own: passkey })).toBe('stepUp')
  })
  test('a code never makes evidence phishing-resistant that was not', () => {
    const methods = fc.subarray(['pwd', 'pin', 'otp', 'pop', 'user', 'hwk', 'swk', 'mfa', 'face', 'phr', 'sc', 'fed', 'unheard-of'])
    fc.assert(
      fc.property(methods, (amr) => {
        const alone = authenticationStrength({ acr: undefined, amr, authenticatedAt: undefined })
        const together = strengthBeside({ acr: undefined, amr }, { methods: totp, provedAt: instant(0) })
        return together.startsWith('phishing') === alone.startsWith('phishing')
      }),
    )
  })
})

test('conditions see every method, and the strength of all together', () => {
  const policy = aPolicy(`rules: [{ name: r, effect: grant, scopes: ["*"], when: "'otp' in auth.amr && auth.strength == 'multi_factor'" }]`)
  const input = aSituation({ request: ['orders:read'], amr: ['pwd'] })
  const ownFactor = { methods: totp, provedAt: input.now }
  const authentication = { ...input.identity.authentication, ownFactor }
  expect(decide(policy, input).kind).toBe('deny')
  expect(decide(policy, { ...input, identity: { ...input.identity, authentication } }).kind).toBe('allow')
})

describe('after a reset of her factor', () => {
  const scopesOf = (request: readonly string[], seconds: number | undefined) => {
    const input = aSituation({ request: [...request] })
    const decision = decide(aPolicy(everything), {
      ...input,
      privilegedFrom: seconds === undefined ? undefined : addSeconds(input.now, seconds),
    })
    return decision.kind === 'allow' ? decision.scopes : decision.kind === 'deny' ? decision.missing : decision.kind
  }
  test('what is privileged waits, and nothing else', () => {
    expect(scopesOf(['orders:admin', 'orders:refund', 'orders:read'], 1)).toEqual(['orders:refund', 'orders:read'])
    expect(scopesOf(['orders:admin'], 1)).toContain('your second factor was reset lately')
  })
  test.each([0, -1, undefined])('it is granted again %s s later', (seconds) => {
    expect(scopesOf(['orders:admin'], seconds)).toEqual(['orders:admin'])
  })
})
