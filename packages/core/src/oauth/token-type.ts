/** Names of token exchange: its grant type and the types of tokens that it knows. */

/** @spec RFC 8693 §2.1 */
export const tokenExchangeGrantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** @spec RFC 8693 §3 */
export const accessTokenUrn = 'urn:ietf:params:oauth:token-type:access_token'

/** Characters: longer than any access token of ours, a chain of actors with it. */
export const longestSubjectToken = 16_384
