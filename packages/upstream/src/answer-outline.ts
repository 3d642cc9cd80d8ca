/**
 * What an IdP's answer held, for whoever has to find out why it was refused: structure, never anything that could be used again.
 *
 * Made by picking what is named here and dropping all else, so that no signature value, key, code, token, nonce or message id can slip
 * through. Personal values are one letter and a length, unless the reader is the person herself (a test login). security.md §17
 */
import { redactedValue } from '@drawbridge/core/identity/login-trace'
import { type Instant, secondsBetween } from '@drawbridge/core/instant'
import type { UpstreamRefusal } from './error.js'

/** `values`: for the administrator who ran a test login with an account of her own, and only of what was proven to be the IdP's. */
export type Shown = 'structure' | 'values'

/** Of an attribute or claim: its name, and how many values, or which. */
export type OutlinedClaim = { readonly name: string; readonly values: number | readonly string[] }

/** What an admin has to make equal: what we await, and what came. */
export type Compared = { readonly what: string; readonly expected: string; readonly received: readonly string[] }

type Common = {
  /** A signature of the IdP held, of the answer or of the assertion in it. Else anybody may have written this. */
  readonly proven: boolean
  readonly compared: readonly Compared[]
  /** How old the answer says it is; below zero the IdP’s clock is ahead of ours. */
  readonly issuedSecondsAgo: number | undefined
  readonly claims: readonly OutlinedClaim[]
}
export type SamlOutline = Common & {
  readonly kind: 'saml'
  readonly response: {
    readonly status: readonly string[]
    readonly issueInstant: string | undefined
    readonly inResponseTo: 'ours' | 'another' | 'absent'
  }
  readonly algorithms: readonly string[]
  readonly encrypted: boolean
  readonly assertion:
    | {
        readonly issueInstant: string | undefined
        readonly notBefore: string | undefined
        readonly notOnOrAfter: string | undefined
        readonly nameId: { readonly format: string | undefined; readonly value: string } | undefined
        readonly confirmations: readonly {
          readonly inResponseTo: 'ours' | 'another' | 'absent'
          readonly notOnOrAfter: string | undefined
        }[]
        readonly authnInstant: string | undefined
        readonly sessionNotOnOrAfter: string | undefined
        readonly classRef: string | undefined
      }
    | undefined
}
export type OidcOutline = Common & {
  readonly kind: 'oidc'
  readonly algorithm: string | undefined
  readonly nonce: 'ours' | 'another' | 'absent'
  readonly sub: string | undefined
  readonly times: Readonly<Record<string, string>>
}
export type AnswerOutline = SamlOutline | OidcOutline

/** Undefined: there was nothing to read. */
export type OutlineAnswer = (shown: Shown) => AnswerOutline | undefined

/** A refusal of an answer, and how to describe the answer: a function, so that nothing of it can reach a log. */
export type RefusedAnswer = UpstreamRefusal & { readonly outline?: OutlineAnswer }

export const outlineLimits = { textLength: 300, claims: 80, valuesOfClaim: 50, compared: 8, algorithms: 12 } as const

/** A stranger's text: bounded, and without characters that could move a terminal or hide a letter. */
export const clip = (text: string): string => {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD')
  return plain.length <= outlineLimits.textLength ? plain : `${plain.slice(0, outlineLimits.textLength)}…`
}
export const clipped = (text: string | undefined): string | undefined => (text === undefined ? undefined : clip(text))

export const personal = (value: string, shown: Shown): string => clip(shown === 'values' ? value : redactedValue(value))

export const outlineClaims = (claims: Iterable<readonly [string, readonly string[]]>, shown: Shown): readonly OutlinedClaim[] =>
  [...claims].slice(0, outlineLimits.claims).map(([name, values]) => ({
    name: clip(name),
    values: shown === 'values' ? values.slice(0, outlineLimits.valuesOfClaim).map(clip) : values.length,
  }))

export const compare = (what: string, expected: string, received: readonly (string | undefined)[]): Compared => ({
  what,
  expected: clip(expected),
  received: [...new Set(received.filter((value) => value !== undefined))].slice(0, outlineLimits.compared).map(clip),
})

/** What differs, of all that was compared. */
export const differences = ({ compared }: Common): readonly Compared[] =>
  compared.filter(({ expected, received }) => received.length !== 1 || received[0] !== expected)

/** A time of the message as text; what is no time is called so. */
export const timeText = (at: Instant | 'invalid' | undefined): string | undefined =>
  typeof at === 'number' ? isoOf(at) : at === 'invalid' ? '(unreadable)' : undefined

/** Whole seconds; undefined: the answer does not say when it was made. */
export const secondsAgo = (issuedAt: Instant | 'invalid' | undefined, now: Instant): number | undefined =>
  typeof issuedAt === 'number' ? secondsBetween(issuedAt, now) : undefined

/** Years that a Date does not know are no reason to fail. */
const isoOf = (at: number): string => {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? '(out of range)' : date.toISOString()
}
