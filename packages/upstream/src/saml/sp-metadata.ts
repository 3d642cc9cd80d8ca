/** What we tell an IdP about ourselves: entity ID, ACS, and that assertions must be signed. Static per connection. */

import { namespaces } from './element.js'
import { escapeXml } from './escape-xml.js'

export type SpMetadata = { readonly entityId: string; readonly acsUrl: string }

/** @spec SAML Metadata §2.4.4 */
export const buildSpMetadata = ({ entityId, acsUrl }: SpMetadata): string =>
  `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="${namespaces.metadata}" entityID="${escapeXml(entityId)}">
  <md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" protocolSupportEnumeration="${namespaces.protocol}">
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${escapeXml(acsUrl)}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
`
