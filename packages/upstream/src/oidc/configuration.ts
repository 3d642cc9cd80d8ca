/** What an OpenID connection can be told beside what every connection can; the meaning of each member is in `connection-configuration`. */
import type { ClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { type ForeignAlgorithm, foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { z } from 'zod'

/** REFEDS MFA: the class that means "multi-factor" to IdPs that follow a published profile. */
export const refedsMfa = 'https://refeds.org/profile/mfa'

/** Stands in an issuer for the tenant of whoever signs in: Entra's authorities for several tenants. */
export const issuerPlaceholder = '{tenantid}'
export const graphDefaultUrl = 'https://graph.microsoft.com/v1.0'
const google = 'https://accounts.google.com'
/** Everybody can have a personal Microsoft account: this tenant id is nobody's company. */
const personalAccounts = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** What may be added to the authorization request: hints and choices of the IdP, never a parameter of the protocol itself. */
export const staticParameterNames = [
  'domain_hint',
  'hd',
  'whr',
  'amr_values',
  'connection',
  'organization',
  'kc_idp_hint',
  'idp',
  'display',
  'ui_locales',
  'resource',
  'audience',
  'access_type',
] as const

const text = z.string().min(1).max(1024)
const list = z.array(text).max(64)
const contextId = /^c([1-9]|[1-9][0-9])$/

export const oidcMembers = {
  issuer: text,
  discoveryUrl: text.optional(),
  clientId: text,
  clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']).optional(),
  clientAssertionAudience: z.enum(['issuer', 'token_endpoint']).default('issuer'),
  idTokenAlgorithms: z
    .array(z.enum(foreignAlgorithms))
    .min(1)
    .default([...foreignAlgorithms]),
  scopes: list.default(['openid', 'profile', 'email']),
  tenantIds: z.array(z.guid().toLowerCase()).min(1).max(64).optional(),
  hostedDomains: z
    .array(text.regex(/^[^\s*]+\.[^\s*]+$/).toLowerCase())
    .min(1)
    .max(64)
    .optional(),
  acrValues: list.default([]),
  stepUpAcr: text.nullable().default(refedsMfa),
  stepUpAsk: z.enum(['acr_values', 'claims_acr', 'claims_acrs']).default('acr_values'),
  prompt: z.enum(['login', 'select_account', 'consent']).nullable().default(null),
  promptOnForce: z.enum(['login', 'select_account']).nullable().default('login'),
  promptOnSelect: z.enum(['select_account', 'login']).nullable().default('select_account'),
  maxAgeOnForce: z
    .union([z.literal(0), z.literal(1)])
    .nullable()
    .default(0),
  authTimeClaim: z.boolean().default(false),
  freshnessEvidence: z.enum(['auth_time', 'issued_at_after_prompt']).default('auth_time'),
  parameters: z.partialRecord(z.enum(staticParameterNames), text).default({}),
  userinfo: z.boolean().default(true),
  logoutTokens: z.enum(['typed', 'untyped']).default('typed'),
  frontchannelLogout: z.boolean().default(false),
  graph: z
    .strictObject({
      groups: z.enum(['id', 'displayName']).default('id'),
      securityGroupsOnly: z.boolean().default(true),
      url: text.default(graphDefaultUrl),
      tokenUrl: text.optional(),
    })
    .optional(),
}
type Members = z.output<z.ZodObject<typeof oidcMembers>>

export type OidcSettings = Readonly<Omit<Members, 'idTokenAlgorithms'>> & { readonly idTokenAlgorithms: readonly ForeignAlgorithm[] }

export const isTemplate = (issuer: string): boolean => issuer.includes(issuerPlaceholder)

/** Every issuer that may speak for the people of a connection: one, or with a template one for each tenant that is trusted. */
export const issuersOf = ({ issuer, tenantIds = [] }: Pick<OidcSettings, 'issuer' | 'tenantIds'>): readonly string[] =>
  isTemplate(issuer) ? tenantIds.map((tenant) => issuer.replace(issuerPlaceholder, tenant)) : [issuer]

export const discoveryUrlOf = ({ issuer, discoveryUrl }: Pick<OidcSettings, 'issuer' | 'discoveryUrl'>): string =>
  discoveryUrl ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

export type OidcMistake = { readonly member: string; readonly message: string }

/** What no single member can say: an issuer that many companies share is believed only about the ones that are named. */
export function findOidcMistake(settings: OidcSettings): OidcMistake | undefined {
  const { issuer, discoveryUrl, tenantIds, hostedDomains, stepUpAsk, stepUpAcr, freshnessEvidence, promptOnForce, graph } = settings
  if (isTemplate(issuer) && tenantIds === undefined)
    return { member: 'tenantIds', message: 'an issuer with {tenantid} speaks for every tenant of the world: list the tenant ids you trust' }
  if (isTemplate(issuer) && discoveryUrl === undefined)
    return { member: 'discoveryUrl', message: 'an issuer with {tenantid} is no address: say where its discovery document is' }
  if (tenantIds?.includes(personalAccounts) === true)
    return { member: 'tenantIds', message: 'this is the tenant of personal accounts, which anybody can make' }
  if (issuer === google && hostedDomains === undefined)
    return { member: 'hostedDomains', message: 'Google signs in every Google account of the world: list the Workspace domains you trust' }
  if (stepUpAsk === 'claims_acrs' && !contextId.test(stepUpAcr ?? ''))
    return { member: 'stepUpAcr', message: 'an authentication context of Entra is c1 to c99' }
  if (stepUpAsk === 'claims_acr' && stepUpAcr === null) return { member: 'stepUpAcr', message: 'an essential acr needs a value' }
  if (freshnessEvidence === 'issued_at_after_prompt' && promptOnForce === null)
    return { member: 'freshnessEvidence', message: 'without a prompt the time of issue proves nothing' }
  if (graph !== undefined && tenantIds === undefined)
    return { member: 'tenantIds', message: 'Graph is asked about people of the listed tenants alone: list theirs' }
  return undefined
}

/** What names a person at one tenant may name another at the next: where several are trusted, `tid` is a part of the key. */
export function findKeyMistake({ tenantIds = [] }: Pick<OidcSettings, 'tenantIds'>, { stableId }: ClaimMapping): OidcMistake | undefined {
  if (tenantIds.length < 2 || (stableId.from === 'attributes' && stableId.names.includes('tid'))) return undefined
  return { member: 'mapping', message: 'with several tenantIds the stable id needs {"stableId":{"attributes":["tid","oid"]}}' }
}
