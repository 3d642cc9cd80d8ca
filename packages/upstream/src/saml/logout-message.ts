/** Our LogoutRequest and LogoutResponse: as bare as possible, and always signed. */
import type { Instant } from '@drawbridge/core/instant'
import type { NameId } from './assertion-reader.js'
import { formatDateTime } from './date-time.js'
import { namespaces } from './element.js'
import { escapeXml } from './escape-xml.js'

type Message = { readonly id: string; readonly issuer: string; readonly destination: string | undefined; readonly now: Instant }

export type LogoutRequest = Message & {
  /** Every attribute of it as the login brought it: AD FS refuses a session that it does not recognise to the letter (MSIS7084). */
  readonly nameId: NameId
  readonly sessionIndex: string | undefined
}

/** @spec SAML Core §3.7.1 */
export function buildLogoutRequest(request: LogoutRequest): string {
  const { value, format, nameQualifier, spNameQualifier } = request.nameId
  const attributes = written({ NameQualifier: nameQualifier, SPNameQualifier: spNameQualifier, Format: format })
  const index = request.sessionIndex === undefined ? '' : `<samlp:SessionIndex>${escapeXml(request.sessionIndex)}</samlp:SessionIndex>`
  return build('LogoutRequest', request, {}, `<saml:NameID${attributes}>${escapeXml(value)}</saml:NameID>${index}`)
}

/** `incomplete`: not everything that was asked for has ended. */
export type LogoutAnswer = 'complete' | 'incomplete'
const status = 'urn:oasis:names:tc:SAML:2.0:status:'

/** @spec SAML Core §3.7.2, §3.7.3.2 PartialLogout */
export function buildLogoutResponse(response: Message & { readonly inResponseTo: string; readonly answer: LogoutAnswer }): string {
  const code =
    response.answer === 'complete'
      ? `<samlp:StatusCode Value="${status}Success"/>`
      : `<samlp:StatusCode Value="${status}Responder"><samlp:StatusCode Value="${status}PartialLogout"/></samlp:StatusCode>`
  return build('LogoutResponse', response, { InResponseTo: response.inResponseTo }, `<samlp:Status>${code}</samlp:Status>`)
}

function build(name: string, { id, issuer, destination, now }: Message, more: Readonly<Record<string, string>>, inside: string): string {
  const attributes = written({ ID: id, Version: '2.0', IssueInstant: formatDateTime(now), Destination: destination, ...more })
  return `<samlp:${name} xmlns:samlp="${namespaces.protocol}" xmlns:saml="${namespaces.assertion}"${attributes}><saml:Issuer>${escapeXml(issuer)}</saml:Issuer>${inside}</samlp:${name}>`
}

const written = (attributes: Readonly<Record<string, string | undefined>>): string =>
  Object.entries(attributes)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${escapeXml(value)}"`))
    .join('')
