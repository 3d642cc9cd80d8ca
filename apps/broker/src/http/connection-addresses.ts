/** Where we are to an IdP: the addresses of one connection, as its admin enters them there. */
import { receiverUrlOf } from '@drawbridge/core/signals/security-event'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'

/** Whichever issuer is spoken to. */
type AtHome = { readonly home: string }
type Which = { readonly id: ConnectionId; readonly kind: 'saml' | 'oidc' }

/** Where the IdP sends the browser back. */
export const callbackUrlOf = ({ home }: AtHome, { kind, id }: Which): string =>
  kind === 'saml' ? `${home}/saml/${id}/acs` : `${home}/oidc/${id}/callback`

/** Where a SAML IdP fetches our metadata. */
export const metadataUrlOf = ({ home }: AtHome, id: ConnectionId): string => `${home}/saml/${id}/metadata`

/** Where an OpenID provider fetches the keys with which we prove ourselves. */
export const jwksUriOf = ({ home }: AtHome, id: ConnectionId): string => `${home}/oidc/${id}/jwks`

/** Where an IdP of either kind says that everything of a person must end. It is also what its JWT is for, byte for byte. */
export const globalTokenRevocationUrlOf = ({ home }: AtHome, id: ConnectionId): string => `${home}/global-token-revocation/${id}`

/** Where the directories of a tenant provision: which connection one is of, its token says. */
export const scimBaseUrlOf = ({ home }: AtHome): string => `${home}/scim/v2`

/** Where a transmitter delivers security events about people of a connection. */
export const ssfReceiverUrlOf = ({ home }: AtHome, id: ConnectionId): string => receiverUrlOf(home, id)

/** Where an OpenID provider says that a session has ended: from its server, from a frame in the browser; and where it leads a browser after a sign-out. */
export const oidcLogoutUrlsOf = ({ home }: AtHome, id: ConnectionId) => ({
  backchannelLogoutUri: `${home}/oidc/${id}/backchannel-logout`,
  frontchannelLogoutUri: `${home}/oidc/${id}/frontchannel-logout`,
  postLogoutRedirectUri: signedOutUrlOf({ home }),
})

export const signedOutUrlOf = ({ home }: AtHome): string => `${home}/logout/done`
