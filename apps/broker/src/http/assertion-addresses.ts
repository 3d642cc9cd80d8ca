/** What assertions have to say that they are for, at each issuer of a tenant: what they are held against, and what its admin is shown. */
import type { StoredConfiguration } from '@drawbridge/store/tenant-configuration'

/** What an assertion must say that it is for, at one of a tenant's issuers. */
export type AssertionAddresses = {
  /** Claim `aud` of a JWT: the issuer. */
  readonly audience: string
  /** Where clients bring them; the Recipient of SAML. */
  readonly tokenEndpoint: string
  /** The Audience of SAML, which has no claim that could name the tenant beside the issuer: at the front it is the tenant's own issuer. */
  readonly samlAudience: string
  /** Claim `aud_tenant`; at the front it is demanded, because its audience is that of every tenant. */
  readonly audTenant: { readonly is: string; readonly demanded: boolean }
}

type Place = Pick<StoredConfiguration, 'home' | 'slug'> & { readonly issuer: Pick<StoredConfiguration['issuer'], 'url' | 'kind'> }

/** docs/adr/0090 */
export const assertionAddressesOf = ({ issuer, home, slug }: Place): AssertionAddresses => ({
  audience: issuer.url,
  tokenEndpoint: `${issuer.url}/token`,
  samlAudience: home,
  audTenant: { is: slug, demanded: issuer.kind !== 'tenant' },
})
