/** The SAML IdP's metadata, as an administrator would download it. */
import samlify from 'samlify'
import { escapeHtml } from '../pages/html.js'

const persistentNameId = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
const binding = (name: string) => `urn:oasis:names:tc:SAML:2.0:bindings:${name}`

export type IdpAddresses = { readonly entityId: string; readonly ssoUrl: string }

/** `expiredAt` is the fault card: a validUntil that has passed. Without it the document is the same after every restart. @spec SAML Metadata §2.4.3 */
export function buildIdpMetadata(addresses: IdpAddresses, certificatePem: string, expiredAt?: Date): string {
  const idp = samlify.IdentityProvider({
    entityID: addresses.entityId,
    signingCert: certificatePem,
    wantAuthnRequestsSigned: false,
    nameIDFormat: [persistentNameId],
    singleSignOnService: [
      { Binding: binding('HTTP-Redirect'), Location: addresses.ssoUrl },
      { Binding: binding('HTTP-POST'), Location: addresses.ssoUrl },
    ],
  })
  const xml = idp.getMetadata()
  if (expiredAt === undefined) return xml
  return xml.replace('<EntityDescriptor ', () => `<EntityDescriptor validUntil="${escapeHtml(expiredAt.toISOString())}" `)
}
