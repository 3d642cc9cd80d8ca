/**
 * What we tell an IdP about ourselves: entity ID, ACS, keys, and that assertions must be signed.
 *
 * Bare, because importers are strict: no Extensions, no Organization, nothing that the schema leaves optional and nobody needs.
 */
import { certificateOf } from '../certificate.js'
import type { SamlConnection } from '../connection-configuration.js'
import { namespaces } from './element.js'
import { offeredEncryption } from './encryption-algorithms.js'
import { escapeXml } from './escape-xml.js'
import { logoutUrlsOf, type ServiceProvider } from './service-provider.js'
import { spEntityIdOf } from './verify-response.js'

export type SpMetadata = {
  readonly connection: SamlConnection
  readonly acsUrl: string
  readonly serviceProvider: Pick<ServiceProvider, 'published'>
}

/**
 * The certificate for signing is there when we sign, and logout is always signed; that for encryption only when this connection's admin switched encryption on, because
 * AD FS and Shibboleth encrypt as soon as they see one. Both name the active key first and the one that follows it.
 *
 * @spec SAML Metadata §2.4.4 SPSSODescriptor, §2.4.1.1 KeyDescriptor
 */
export function buildSpMetadata({ connection, acsUrl, serviceProvider }: SpMetadata): string {
  const certificates = serviceProvider.published.map(({ certificate }) => certificate)
  const doesLogout = connection.sloUrl !== undefined
  const signing = connection.signRequests || doesLogout ? certificates.map((each) => keyDescriptor('signing', each, [])) : []
  const methods = offeredEncryption(connection.contentEncryption)
  const encryption = connection.encryption === 'off' ? [] : certificates.map((each) => keyDescriptor('encryption', each, methods))
  const signs = connection.signRequests && signing.length > 0
  const answerBinding = `${bindings}${connection.responseBinding === 'redirect' ? 'HTTP-Redirect' : 'HTTP-POST'}`
  return `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="${namespaces.metadata}" xmlns:ds="${namespaces.signature}" entityID="${escapeXml(spEntityIdOf(connection, acsUrl))}">
  <md:SPSSODescriptor AuthnRequestsSigned="${signs}" WantAssertionsSigned="true" protocolSupportEnumeration="${namespaces.protocol}">
${[...signing, ...encryption].join('')}${doesLogout ? logoutServices(acsUrl) : ''}${nameIdFormat(connection)}    <md:AssertionConsumerService Binding="${answerBinding}" Location="${escapeXml(acsUrl)}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
`
}

const bindings = 'urn:oasis:names:tc:SAML:2.0:bindings:'

/** SOAP last: importers that keep one endpoint keep the first. @spec SAML Metadata §2.4.2 SingleLogoutService */
function logoutServices(acsUrl: string): string {
  const { browser, soap } = logoutUrlsOf(acsUrl)
  const services = [
    ['HTTP-Redirect', browser],
    ['HTTP-POST', browser],
    ['SOAP', soap],
  ] as const
  return services
    .map(([binding, url]) => `    <md:SingleLogoutService Binding="${bindings}${binding}" Location="${escapeXml(url)}"/>\n`)
    .join('')
}

function keyDescriptor(use: 'signing' | 'encryption', certificate: string, methods: readonly string[]): string {
  const bare = certificateOf(certificate).raw.toString('base64')
  const offered = methods.map((method) => `      <md:EncryptionMethod Algorithm="${method}"/>\n`).join('')
  return `    <md:KeyDescriptor use="${use}">
      <ds:KeyInfo><ds:X509Data><ds:X509Certificate>${bare}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
${offered}    </md:KeyDescriptor>
`
}

const nameIdFormat = ({ nameIdFormat: format }: SamlConnection): string =>
  format === undefined ? '' : `    <md:NameIDFormat>${escapeXml(format)}</md:NameIDFormat>\n`
