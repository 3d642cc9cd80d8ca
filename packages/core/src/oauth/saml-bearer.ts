/**
 * The SAML bearer grant: a client brings an assertion that an issuer whom the tenant trusts made about a person. RFC 7522 §2.1
 *
 * It names neither client nor scope nor resource: the trust lists who may bring one, the request says what for, and policy decides.
 */

/** @spec RFC 7522 §2.1 */
export const samlBearerGrantType = 'urn:ietf:params:oauth:grant-type:saml2-bearer'

/** Characters of base64url: 36 KB of XML, a person with some hundred groups. A form with it stays below the longest body of the endpoint. */
export const longestSamlAssertion = 49_152
