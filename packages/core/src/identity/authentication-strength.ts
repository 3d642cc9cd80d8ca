/**
 * How strongly a person proved who she is, computed from whatever evidence her IdP gave.
 *
 * Evidence that is missing or not understood is `unknown`, and unknown never satisfies a demand. Two values of one category (a PIN and
 * a password, say) are one factor: only distinct categories count.
 */
import type { AuthenticationContext, OwnFactorProof } from './normalized-identity.js'

/** The last: phishing-resistant by a key in hardware. `sc` and the class Smartcard do not say that, because a virtual card calls itself one, too. */
export const authenticationStrengths = [
  'unknown',
  'single_factor',
  'multi_factor',
  'phishing_resistant',
  'phishing_resistant_hardware',
] as const
export type AuthenticationStrength = (typeof authenticationStrengths)[number]

const classes = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'

/** What a class reference says by its own specification. Whatever is not here is unknown. */
const strengthOfAcr: ReadonlyMap<string, AuthenticationStrength> = new Map<string, AuthenticationStrength>([
  ['https://refeds.org/profile/mfa', 'multi_factor'],
  ['https://refeds.org/profile/sfa', 'single_factor'],
  ['http://schemas.microsoft.com/claims/multipleauthn', 'multi_factor'],
  ['http://schemas.openid.net/pape/policies/2007/06/multi-factor', 'multi_factor'],
  ['http://schemas.openid.net/pape/policies/2007/06/phishing-resistant', 'phishing_resistant'],
  ['mfa', 'multi_factor'],
  ['phr', 'phishing_resistant'],
  ['phrh', 'phishing_resistant_hardware'],
  ['urn:okta:loa:1fa:any', 'single_factor'],
  ['urn:okta:loa:1fa:pwd', 'single_factor'],
  ['urn:okta:loa:2fa:any', 'multi_factor'],
  [`${classes}Password`, 'single_factor'],
  [`${classes}PasswordProtectedTransport`, 'single_factor'],
  [`${classes}Kerberos`, 'single_factor'],
  ['urn:federation:authentication:windows', 'single_factor'],
  [`${classes}MobileTwoFactorContract`, 'multi_factor'],
  [`${classes}MobileTwoFactorUnregistered`, 'multi_factor'],
  [`${classes}X509`, 'phishing_resistant'],
  [`${classes}TLSClient`, 'phishing_resistant'],
  [`${classes}Smartcard`, 'phishing_resistant'],
  [`${classes}SmartcardPKI`, 'phishing_resistant'],
])

/** Classes that say which kind of factor the IdP asked for: what is proved beside it may be of another kind. */
const classesOfPasswords: ReadonlySet<string> = new Set([
  `${classes}Password`,
  `${classes}PasswordProtectedTransport`,
  'urn:okta:loa:1fa:pwd',
])

/** The category of each method; methods that prove no factor of their own (`user`, `rba`, `geo`, `wia`, `fed`) are in none. */
const categoryOf: ReadonlyMap<string, 'knowledge' | 'possession' | 'inherence'> = new Map([
  ...(['pwd', 'pin', 'kba'] as const).map((method) => [method, 'knowledge'] as const),
  ...(['otp', 'sms', 'tel', 'swk', 'hwk', 'sc', 'pop', 'okta_verify', 'duo', 'rsa', 'google_otp', 'symantec', 'yubikey'] as const).map(
    (method) => [method, 'possession'] as const,
  ),
  ...(['face', 'fpt', 'iris', 'retina', 'vbm'] as const).map((method) => [method, 'inherence'] as const),
])

/** Methods by which a vendor says "several factors" or "not phishable" outright. */
const saysMultiFactor: ReadonlySet<string> = new Set([
  'mfa',
  'ngcmfa',
  'multipleauthn',
  'http://schemas.microsoft.com/claims/multipleauthn',
])
const saysPhishingResistant: ReadonlySet<string> = new Set(['phr', 'sc'])

export const isAtLeast = (strength: AuthenticationStrength, demanded: AuthenticationStrength): boolean =>
  authenticationStrengths.indexOf(strength) >= authenticationStrengths.indexOf(demanded)

const stronger = (a: AuthenticationStrength, b: AuthenticationStrength): AuthenticationStrength => (isAtLeast(a, b) ? a : b)

/** @spec RFC 8176 §2 methods. `mca` (several channels) is not several factors, so it says nothing here. */
function strengthOfMethods(amr: readonly string[]): AuthenticationStrength {
  if (amr.includes('phrh')) return 'phishing_resistant_hardware'
  if (amr.some((method) => saysPhishingResistant.has(method))) return 'phishing_resistant'
  // A proof of possession of a key with the person verified beside it (WebAuthn): neither half alone is enough.
  if (amr.includes('pop') && amr.some((method) => method === 'pin' || method === 'user' || categoryOf.get(method) === 'inherence'))
    return 'phishing_resistant'
  if (amr.some((method) => saysMultiFactor.has(method))) return 'multi_factor'
  const categories = new Set(amr.map((method) => categoryOf.get(method)).filter((category) => category !== undefined))
  if (categories.size >= 2) return 'multi_factor'
  return categories.size === 1 ? 'single_factor' : 'unknown'
}

/** Whether a specification, or the vendor of the IdP, already says what this means. */
export const isDefinedClass = (acr: string): boolean => strengthOfAcr.has(acr)
export const isDefinedMethod = (method: string): boolean => strengthOfMethods([method]) !== 'unknown'

/**
 * The strength that the evidence proves: the better of what the methods and what the context class say.
 *
 * @spec RFC 8176 authentication method references
 * @spec SAML Core §2.7.2.2 authentication context
 */
export function authenticationStrength(context: AuthenticationContext): AuthenticationStrength {
  const byClass = context.acr === undefined ? 'unknown' : (strengthOfAcr.get(context.acr) ?? 'unknown')
  return stronger(strengthOfMethods(context.amr), byClass)
}

/** What a factor of ours proves by itself. */
export const strengthOfOwnFactor = ({ methods }: OwnFactorProof): AuthenticationStrength => strengthOfMethods(methods)

/**
 * What the IdP's evidence and a factor of ours prove together: a factor of another category than those that the IdP named makes two. An
 * IdP that names none has shown none, and then only a factor that is two by itself helps.
 */
export function strengthBeside(
  { acr, amr }: Pick<AuthenticationContext, 'acr' | 'amr'>,
  { methods }: OwnFactorProof,
): AuthenticationStrength {
  const ofClass = acr !== undefined && classesOfPasswords.has(acr) ? ['pwd'] : []
  return strengthOfMethods([...ofClass, ...amr, ...methods])
}

/** Every method that was proved, whoever proved it. */
export const methodsOf = ({ amr, ownFactor }: Pick<AuthenticationContext, 'amr' | 'ownFactor'>): readonly string[] =>
  ownFactor === undefined ? amr : [...new Set([...amr, ...ownFactor.methods])]
