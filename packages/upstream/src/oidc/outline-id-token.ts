/** Describes an ID token that was refused, reduced to what a trace may keep: the token itself is forgotten. */

import type { Instant } from '@drawbridge/core/instant'
import { foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import { type AnswerOutline, compare, outlineClaims, personal, type Shown, secondsAgo, timeText } from '../answer-outline.js'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { issuerPlaceholder } from './configuration.js'
import { instantOf } from './id-token-rules.js'

type Expected = { readonly connection: OidcConnection; readonly nonce: string; readonly now: Instant }

/** What is told of the token elsewhere, or could be used: hashes and ids. */
const notShown = new Set([
  'iss',
  'aud',
  'azp',
  'nonce',
  'sub',
  'jti',
  'sid',
  'at_hash',
  'c_hash',
  's_hash',
  'iat',
  'exp',
  'nbf',
  'auth_time',
])
const times = ['iat', 'exp', 'nbf', 'auth_time'] as const

/** Undefined: it is no JWT that anybody could read. */
export function outlineIdToken(
  token: string,
  { connection, nonce, now }: Expected,
  refusal: UpstreamRefusal,
  asked: Shown,
): AnswerOutline | undefined {
  const jwt = readForeignJwt(token, foreignAlgorithms)
  if (!jwt.ok) return undefined
  const { claims, algorithm } = jwt.value
  const isProven = refusal.proven === true
  const shown = isProven ? asked : 'structure'
  const [sub, given] = [claims.get('sub'), claims.get('nonce')]
  return {
    kind: 'oidc',
    proven: isProven,
    compared: comparedOf(claims, connection),
    issuedSecondsAgo: secondsAgo(instantOf(claims.get('iat')), now),
    claims: outlineClaims(claimsToShow(claims), shown),
    algorithm,
    nonce: given === undefined ? 'absent' : given === nonce ? 'ours' : 'another',
    sub: typeof sub === 'string' ? personal(sub, shown) : undefined,
    times: Object.fromEntries(times.flatMap((name) => timeOf(name, claims.get(name)))),
  }
}

function comparedOf(claims: ReadonlyMap<string, unknown>, connection: OidcConnection) {
  const of = (name: string): readonly string[] => textsOf(claims.get(name))
  const listed = (what: string, claim: string, allowed: readonly string[] | undefined) =>
    allowed === undefined ? [] : [compare(what, allowed.join(' or '), of(claim))]
  return [
    compare('issuer', connection.issuer.replace(issuerPlaceholder, of('tid')[0] ?? issuerPlaceholder), of('iss')),
    compare('audience', connection.clientId, of('aud')),
    ...listed('tenant id', 'tid', connection.tenantIds),
    ...listed('hosted domain', 'hd', connection.hostedDomains),
  ]
}

const timeOf = (name: string, value: unknown): readonly (readonly [string, string])[] =>
  value === undefined ? [] : [[name, timeText(instantOf(value) ?? 'invalid') ?? '']]

/** What is structured is counted, and never shown: it may hold anything. */
const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).flatMap((each) => {
    if (each === undefined || each === null) return []
    return [typeof each === 'object' ? '(structured)' : String(each)]
  })

/** Claims that are told of as such: what is left out is told elsewhere, or could be used. */
export const claimsToShow = (claims: ReadonlyMap<string, unknown>): readonly (readonly [string, readonly string[]])[] =>
  [...claims].filter(([name]) => !notShown.has(name)).map(([name, value]) => [name, textsOf(value)])
