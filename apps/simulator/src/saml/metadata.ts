/** The SAML IdP's metadata, as an administrator would download it. */
import samlify from 'samlify'
import { bareCertificate } from '../keys.js'

export type IdpAddresses = { readonly entityId: string; readonly ssoUrl: string; readonly sloUrl: string }

const binding = 'urn:oasis:names:tc:SAML:2.0:bindings'
const template = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{EntityId}" validUntil="{ValidUntil}"><IDPSSODescriptor \
WantAuthnRequestsSigned="false" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">\
<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{Certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>\
<SingleLogoutService Binding="${binding}:HTTP-Redirect" Location="{SloUrl}"/><SingleLogoutService Binding="${binding}:HTTP-POST" Location="{SloUrl}"/>\
<NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</NameIDFormat>\
<SingleSignOnService Binding="${binding}:HTTP-Redirect" Location="{SsoUrl}"/><SingleSignOnService Binding="${binding}:HTTP-POST" Location="{SsoUrl}"/>\
</IDPSSODescriptor></EntityDescriptor>`

/**
 * Filled and escaped by samlify, whose own builder warns of every service that we do not offer.
 *
 * `expiredAt` is the fault card: a validUntil that has passed. Without it the document is the same after every restart.
 *
 * @spec SAML Metadata §2.4.3
 */
export function buildIdpMetadata(addresses: IdpAddresses, certificatePem: string, expiredAt?: Date): string {
  return samlify.SamlLib.replaceTagsByValue(template, {
    EntityId: addresses.entityId,
    ValidUntil: expiredAt?.toISOString(),
    Certificate: bareCertificate(certificatePem),
    SsoUrl: addresses.ssoUrl,
    SloUrl: addresses.sloUrl,
  })
}
