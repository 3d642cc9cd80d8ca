/** How strongly, and how lately, the person behind a token must have signed in. @spec RFC 9470 */
import type { VerifiedToken } from './verify-access-token.js'

export type AuthenticationDemand = {
  /** One of these must be the token's `acr`. The issuer's metadata lists what it understands. */
  readonly acrValues?: readonly string[]
  /** She signed in no longer ago. */
  readonly maxAgeSeconds?: number
}

/** Demands by tool. A tool that is not named demands nothing beyond its scopes. */
export type ToolAuthentication = Readonly<Record<string, AuthenticationDemand>>

/**
 * The least `maxAgeSeconds`. An identity provider's clock may be three minutes behind its issuer's, and a client needs a moment to come back: with
 * less, the freshest sign-in could be refused, and the client sent around for ever.
 */
export const leastMaxAgeSeconds = 300

/** A demand that nobody can meet stops the start. */
export function checkDemand({ acrValues, maxAgeSeconds }: AuthenticationDemand, of: string): void {
  if (acrValues !== undefined && (acrValues.length === 0 || !acrValues.every((each) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(each))))
    throw new Error(`guard: acrValues of ${of} must name at least one value, without spaces and quotes`)
  if (maxAgeSeconds !== undefined && !(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= leastMaxAgeSeconds))
    throw new Error(`guard: maxAgeSeconds of ${of} must be a whole number of at least ${leastMaxAgeSeconds}`)
}

/** What a token must say to meet all of these at once: the values that every list has, the shortest age. */
export function strictest(demands: readonly AuthenticationDemand[]): AuthenticationDemand {
  const lists = demands.flatMap(({ acrValues }) => (acrValues === undefined ? [] : [acrValues]))
  const ages = demands.flatMap(({ maxAgeSeconds }) => maxAgeSeconds ?? [])
  const [first, ...others] = lists
  return {
    ...(first !== undefined && { acrValues: first.filter((each) => others.every((list) => list.includes(each))) }),
    ...(ages.length > 0 && { maxAgeSeconds: Math.min(...ages) }),
  }
}

/** No sign-in meets it: what is demanded together excludes each other. */
export const isImpossible = ({ acrValues }: AuthenticationDemand): boolean => acrValues?.length === 0

/** What the token does not say is not so. */
export function meetsDemand(token: VerifiedToken, { acrValues, maxAgeSeconds }: AuthenticationDemand, nowSeconds: number): boolean {
  if (acrValues !== undefined && (token.acr === undefined || !acrValues.includes(token.acr))) return false
  return (
    maxAgeSeconds === undefined ||
    (token.authenticatedAtSeconds !== undefined && nowSeconds - token.authenticatedAtSeconds <= maxAgeSeconds)
  )
}

const own = (table: ToolAuthentication, name: string): AuthenticationDemand | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

export const demandOfTools = (table: ToolAuthentication, tools: readonly string[]): AuthenticationDemand =>
  strictest(tools.flatMap((tool) => own(table, tool) ?? []))
