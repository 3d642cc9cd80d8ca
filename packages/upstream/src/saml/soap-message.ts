/**
 * SOAP around a message: how an IdP's server tells us of a logout with no browser in between.
 *
 * The message is cut out of its envelope and becomes a document of its own, with the namespaces that it had there, and is then judged like any
 * other: what is believed is what a key signed of that document, so nothing depends on how well we cut.
 *
 * @spec SAML Bindings §3.2
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import { childrenNamed, type Element, isNamed, readElement } from './element.js'
import { escapeXml } from './escape-xml.js'
import { logoutMessageLimits, prescan } from './prescan.js'

const soap = 'http://schemas.xmlsoap.org/soap/envelope/'
const declarations = 'http://www.w3.org/2000/xmlns/'

export const soapContentType = 'text/xml; charset=utf-8'

const malformed = err<UpstreamRefusal>({ reason: 'saml_soap_malformed' })

/** From UTF-8 text. Headers with anything in them are refused: we would have to understand them. */
export function unwrapSoap(text: string): Result<string, UpstreamRefusal> {
  const scanned = prescan(text, logoutMessageLimits)
  if (!scanned.ok) return scanned
  const root = readElement(text)
  if (!root.ok) return root
  const body = bodyOf(root.value)
  if (body === undefined) return malformed
  const inside = cutOut(text)
  return inside === undefined ? malformed : ok(withNamespaces(inside, [root.value, body]))
}

function bodyOf(envelope: Element): Element | undefined {
  if (!isNamed(envelope, soap, 'Envelope')) return undefined
  const [body, second] = childrenNamed(envelope, soap, 'Body')
  const headers = childrenNamed(envelope, soap, 'Header')
  const isBare = headers.length <= 1 && headers.every(({ children }) => children.length === 0)
  const isWhole = second === undefined && envelope.children.length === headers.length + 1
  return body !== undefined && isBare && isWhole && body.children.length === 1 ? body : undefined
}

/** What stands between the start tag of Body and its end tag: in scanned text a `<` only ever begins a tag, and nothing else is called so. */
function cutOut(text: string): string | undefined {
  const start = /<(?:[A-Za-z_][\w.-]*:)?Body(?=[\s>])/.exec(text)
  const end = text.lastIndexOf('</', text.lastIndexOf('</') - 1)
  if (start === null) return undefined
  const from = endOfTag(text, start.index)
  return from < end ? text.slice(from, end).trim() : undefined
}

function endOfTag(text: string, at: number): number {
  let quote = ''
  for (let index = at; index < text.length; index += 1) {
    const character = text[index] as string
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '>') return index + 1
  }
  return text.length
}

/** Those of the envelope that the message does not bind anew, the inner ones before the outer. */
function withNamespaces(message: string, around: readonly [Element, Element]): string {
  const name = /^<[^\s/>]+/.exec(message)?.[0] ?? ''
  const bound = new Map(around.flatMap(bindingsOf))
  for (const [prefix] of bindingsOf(around[1].children[0] as Element)) bound.delete(prefix)
  const missing = [...bound].map(([prefix, uri]) => ` ${prefix === 'xmlns' ? prefix : `xmlns:${prefix}`}="${escapeXml(uri)}"`)
  return `${name}${missing.join('')}${message.slice(name.length)}`
}

const bindingsOf = ({ attributes }: Element): readonly (readonly [string, string])[] =>
  attributes.filter(({ namespace }) => namespace === declarations).map(({ name, value }) => [name, value] as const)

export const wrapInSoap = (message: string): string => `<S:Envelope xmlns:S="${soap}"><S:Body>${message}</S:Body></S:Envelope>`

/** @spec SOAP 1.1 §4.4 */
export const soapFault = (say: string): string =>
  wrapInSoap(`<S:Fault><faultcode>S:Client</faultcode><faultstring>${escapeXml(say)}</faultstring></S:Fault>`)
