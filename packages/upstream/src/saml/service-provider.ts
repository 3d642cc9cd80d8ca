/** What we are to an IdP: keys of our own, and what this connection was granted beyond its configuration. */
import type { KeyObject } from 'node:crypto'
import type { Instant } from '@drawbridge/core/instant'

/** `certificate` is PEM. `privateKey` opens at its first use. */
export type ServiceProviderKey = { readonly certificate: string; readonly privateKey: () => KeyObject }

export type ServiceProvider = {
  /** Signs. Undefined where the issuer has no keys for SAML yet. */
  readonly active: ServiceProviderKey | undefined
  /** In our metadata: the active key first, then the one that follows it, so that an IdP knows a key before it is used. */
  readonly published: readonly ServiceProviderKey[]
  /** Open what is encrypted to us: the published ones and the one retired last, because an IdP that has not loaded our metadata again still uses that. */
  readonly decrypting: readonly ServiceProviderKey[]
  /** Until when signatures with SHA-1 are believed: an exception that an admin made for a time. */
  readonly sha1Until: Instant | undefined
}

export const noServiceProvider: ServiceProvider = { active: undefined, published: [], decrypting: [], sha1Until: undefined }

/** Our addresses for logout, beside the ACS: for what comes through a browser, and for what the IdP's server sends by SOAP. */
export const logoutUrlsOf = (acsUrl: string): { readonly browser: string; readonly soap: string } => {
  const browser = acsUrl.replace(/\/acs$/, '/slo')
  return { browser, soap: `${browser}/soap` }
}
