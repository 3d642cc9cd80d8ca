/**
 * What a client may be told of a person: by which scopes, where her tenant allows it, and in which claims.
 *
 * Everything comes from what is known of her at this moment, and nothing of it is proved to the client beyond that we say so.
 */
import { z } from 'zod'
import type { NormalizedIdentity } from '../identity/normalized-identity.js'
import { err, ok, type Result } from '../result.js'
import { Secret } from '../secret.js'
import { longestRevocableToken } from './revocation-request.js'
import type { IdentityScope } from './scope.js'

export const toldOfPeopleShape = z.strictObject({
  profile: z
    .boolean()
    .default(false)
    .describe(
      'Clients may ask for her name and what else belongs to the scope profile, and resource servers that are registered for it are told it at introspection',
    ),
  email: z
    .boolean()
    .default(false)
    .describe(
      'Clients may ask for her address, and whether it is proven, and resource servers that are registered for it are told it at introspection',
    ),
})
export type ToldOfPeople = z.output<typeof toldOfPeopleShape>

const nothing: ToldOfPeople = { profile: false, email: false }

/** At the front, until it is known whose a person is: what may be asked for there. Her tenant says what of it is granted. */
export const whateverATenantAllows: ToldOfPeople = { profile: true, email: true }

/** Whatever the store holds. Where nobody has chosen, and where it cannot be read, nothing is told. */
export function toldOfPeopleFromJson(json: unknown): ToldOfPeople {
  const parsed = toldOfPeopleShape.safeParse(json ?? nothing)
  return parsed.success ? parsed.data : nothing
}

/** The scopes that a tenant allows beside `openid`. */
export const scopesTold = ({ profile, email }: ToldOfPeople): readonly IdentityScope[] => [
  ...(profile ? (['profile'] as const) : []),
  ...(email ? (['email'] as const) : []),
]

/** @spec OIDC Core §5.4 those of them that are text */
const claimsOf: Readonly<Record<IdentityScope, readonly string[]>> = {
  openid: [],
  profile: [
    ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture', 'website'],
    ...['gender', 'birthdate', 'zoneinfo', 'locale'],
  ],
  email: ['email', 'email_verified'],
}

export const claimsOfScopes = (scopes: readonly IdentityScope[]): readonly string[] => scopes.flatMap((scope) => claimsOf[scope])

export type Userinfo = { readonly sub: string } & Readonly<Record<string, string | boolean>>

/**
 * Builds the answer: `sub` as in the ID token, and the claims of the granted scopes that she has. What is not known of her, or has another shape than
 * the claim, is left out. `identity` as withDirectory and withVerifiedAddress leave it; `undefined`: nothing of it can be read.
 *
 * @spec OIDC Core §5.3.2
 */
export function buildUserinfo(sub: string, identity: NormalizedIdentity | undefined, scopes: readonly IdentityScope[]): Userinfo {
  const told = claimsOfScopes(scopes).flatMap((name): readonly (readonly [string, string | boolean])[] => {
    const value = identity?.claims.get(name)
    return name === 'email_verified'
      ? typeof value === 'boolean'
        ? [[name, value]]
        : []
      : typeof value === 'string'
        ? [[name, value]]
        : []
  })
  const hasAddress = told.some(([name]) => name === 'email')
  return { ...Object.fromEntries(told.filter(([name]) => name !== 'email_verified' || hasAddress)), sub }
}

/** How an access token is presented: to be believed as it is, or with the proof of a key. @spec RFC 9449 §7.1 */
export type TokenScheme = 'Bearer' | 'DPoP'

const credentials = /^(?:Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*)$/i

/** `undefined`: the header is of another scheme. Without one, what is in a form is a bearer's. @spec RFC 9110 §11.1 in any case */
export function tokenSchemeOf(authorization: string | undefined): TokenScheme | undefined {
  if (authorization === undefined || /^Bearer( |$)/i.test(authorization)) return 'Bearer'
  return /^DPoP( |$)/i.test(authorization) ? 'DPoP' : undefined
}

export type PresentedToken = { readonly authorization: string | undefined; readonly inForm: string | undefined }

/**
 * Reads the access token: in the header, or in the form of a POST, and never in both. In a query it is none: it would stand in logs.
 *
 * @spec RFC 6750 §2.1, §2.2 one method at once
 * @spec RFC 9449 §7.1 one that is bound to a key, in the header alone
 * @spec OIDC Core §5.3.1
 */
export function readPresentedToken({
  authorization,
  inForm,
}: PresentedToken): Result<
  { readonly scheme: TokenScheme; readonly token: Secret },
  'userinfo_token_missing' | 'userinfo_request_malformed' | 'userinfo_token_refused'
> {
  if (authorization !== undefined && inForm !== undefined) return err('userinfo_request_malformed')
  if (authorization === undefined && inForm === undefined) return err('userinfo_token_missing')
  const scheme = tokenSchemeOf(authorization)
  if (scheme === undefined) return err('userinfo_token_missing')
  const token = inForm ?? credentials.exec(authorization ?? '')?.[1]
  if (token === undefined || token === '') return err('userinfo_request_malformed')
  return token.length > longestRevocableToken ? err('userinfo_token_refused') : ok({ scheme, token: new Secret(token) })
}
