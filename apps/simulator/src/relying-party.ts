/** What a company knows of the service that its people sign in to: entered by its administrator, in real life by hand. */

export type RelyingParty = {
  /** The tenant's issuer; shown only. */
  readonly issuer?: string
  /** SAML: where responses may be posted, and who asks for them. */
  readonly acsUrl?: string | readonly string[]
  readonly spEntityId?: string
  /** SAML: where its metadata are, which single logout needs; by default its entity ID. */
  readonly spMetadataUrl?: string
  /** Which octets are signed; `both` by default. */
  readonly sign?: 'response' | 'assertion' | 'both'
  /** OpenID Connect: where codes may be sent. */
  readonly oidcRedirectUri?: string | readonly string[]
  /** OpenID Connect: where the tile of the portal leads. @spec OIDC Core §4 */
  readonly initiateLoginUri?: string
  /** OpenID Connect: where logout tokens are sent, and where a browser is led after a sign-out. */
  readonly backchannelLogoutUri?: string
  readonly postLogoutRedirectUri?: string
  /** `client_secret_basic` by default. */
  readonly tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  /** With `private_key_jwt`: where its public keys are. */
  readonly jwksUri?: string
  readonly scimBaseUrl?: string
  readonly scimToken?: string
}

export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}
