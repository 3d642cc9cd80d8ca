/** Where we are to an IdP: the addresses of one connection, as its admin enters them there. */
import { receiverUrlOf } from '@drawbridge/core/signals/security-event'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'

type Issuer = { readonly url: string }
type Which = { readonly id: ConnectionId; readonly kind: 'saml' | 'oidc' }

/** Where the IdP sends the browser back. */
export const callbackUrlOf = ({ issuer }: { readonly issuer: Issuer }, { kind, id }: Which): string =>
  kind === 'saml' ? `${issuer.url}/saml/${id}/acs` : `${issuer.url}/oidc/${id}/callback`

/** Where a SAML IdP fetches our metadata. */
export const metadataUrlOf = ({ issuer }: { readonly issuer: Issuer }, id: ConnectionId): string => `${issuer.url}/saml/${id}/metadata`

/** Where an OpenID provider fetches the keys with which we prove ourselves. */
export const jwksUriOf = ({ issuer }: { readonly issuer: Issuer }, id: ConnectionId): string => `${issuer.url}/oidc/${id}/jwks`

/** Where an IdP of either kind says that everything of a person must end. It is also what its JWT is for, byte for byte. */
export const globalTokenRevocationUrlOf = ({ issuer }: { readonly issuer: Issuer }, id: ConnectionId): string =>
  `${issuer.url}/global-token-revocation/${id}`

/** Where the directories of a tenant provision: which connection one is of, its token says. */
export const scimBaseUrlOf = ({ issuer }: { readonly issuer: Issuer }): string => `${issuer.url}/scim/v2`

/** Where a transmitter delivers security events about people of a connection. */
export const ssfReceiverUrlOf = ({ issuer }: { readonly issuer: Issuer }, id: ConnectionId): string => receiverUrlOf(issuer.url, id)

/** Where an OpenID provider says that a session has ended: from its server, from a frame in the browser; and where it leads a browser after a sign-out. */
export const oidcLogoutUrlsOf = ({ issuer }: { readonly issuer: Issuer }, id: ConnectionId) => ({
  backchannelLogoutUri: `${issuer.url}/oidc/${id}/backchannel-logout`,
  frontchannelLogoutUri: `${issuer.url}/oidc/${id}/frontchannel-logout`,
  postLogoutRedirectUri: signedOutUrlOf({ issuer }),
})

export const signedOutUrlOf = ({ issuer }: { readonly issuer: Issuer }): string => `${issuer.url}/logout/done`
