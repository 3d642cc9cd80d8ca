/**
 * What a client asked of how somebody signs in (`acr_values`), and what of it was reached.
 *
 * A value of ours, or one whose meaning is registered as a strength alone, is reached by whatever evidence proves that strength in the eyes of the
 * vendor, whose resource servers ask: what a tenant says of its own IdP satisfies nobody else (security.md §5). Any other value is reached only
 * if the IdP said that very value. It is a wish: with less she is let in as policy says, and the token tells what was reached.
 */
import { type AuthenticationStrength, authenticationStrengths, isAtLeast } from './authentication-strength.js'

const ours = authenticationStrengths.filter((strength) => strength !== 'unknown')

/** Values that mean a strength. @spec OpenID Connect Extended Authentication Profile ACR Values 1.0 §2: `phr`, `phrh` */
const strengthOf: ReadonlyMap<string, AuthenticationStrength> = new Map<string, AuthenticationStrength>([
  ...ours.map((strength) => [strength, strength] as const),
  ['phr', 'phishing_resistant'],
  ['phrh', 'phishing_resistant_hardware'],
])
export const strengthValues: readonly string[] = [...strengthOf.keys()]

export const askedValuesLimits = { count: 10, characters: 255 } as const
const value = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** @spec OIDC Core §3.1.2.1 acr_values: in order of preference */
export function parseAcrValues(parameter: string | undefined): readonly string[] | 'malformed' {
  const values = [...new Set((parameter ?? '').split(' ').filter((each) => each !== ''))]
  const isFine =
    values.length <= askedValuesLimits.count && values.every((each) => each.length <= askedValuesLimits.characters && value.test(each))
  return isFine ? values : 'malformed'
}

export type Reached = {
  /** As the IdP said it. */
  readonly acr: string | null | undefined
  readonly strength: AuthenticationStrength
}

/** The first of what was asked for that was reached: what `acr` of the tokens says. @spec OIDC Core §5.5.1.1, RFC 9470 §5 */
export const reachedValue = (asked: readonly string[], reached: Reached): string | undefined =>
  asked.find((each) => isReached(each, reached))

function isReached(asked: string, { acr, strength }: Reached): boolean {
  const means = strengthOf.get(asked)
  return means === undefined ? asked === acr : isAtLeast(strength, means)
}

/**
 * The `acr` that is told: what was asked for and is proved still, else what the IdP said. One of our own words is never told because an IdP used
 * it: at a resource server it stands for our judgement.
 *
 * @spec OIDC Core §2 acr, RFC 9068 §2.2.1
 */
export function toldAcr(asked: string | undefined, reached: Reached): string | undefined {
  const told = asked === undefined ? undefined : reachedValue([asked], reached)
  if (told !== undefined) return told
  const { acr } = reached
  return acr === null || acr === undefined || (ours as readonly string[]).includes(acr) ? undefined : acr
}

/**
 * What to ask an IdP for: of the values those that its connection lists, and where one of them means several factors also what the connection asks
 * for at a step-up. Nothing that a client made up reaches an IdP.
 */
export function contextsToAsk(asked: readonly string[], knows: { readonly listed: readonly string[]; readonly stepUp: readonly string[] }) {
  const verbatim = asked.filter((each) => knows.listed.includes(each) || knows.stepUp.includes(each))
  const needsSeveral = asked.some((each) => isAtLeast(strengthOf.get(each) ?? 'unknown', 'multi_factor'))
  return [...new Set([...verbatim, ...(needsSeveral ? knows.stepUp : [])])]
}
