/** How a message of ours leaves: in the query of a redirect, or in a form that the browser posts. */
import { deflateRawSync } from 'node:zlib'
import type { UpstreamAnswer } from '../connector.js'
import type { RequestSignature } from './configuration.js'
import type { ServiceProviderKey } from './service-provider.js'
import { signEnveloped, signQuery } from './sign-request.js'

export type MessageToSend = {
  readonly carries: 'SAMLRequest' | 'SAMLResponse'
  readonly id: string
  readonly xml: string
  /** With the query that it has of its own. */
  readonly address: string
  readonly binding: 'redirect' | 'post'
  readonly relayState: string | undefined
  /** Signs it; undefined: it goes unsigned. */
  readonly key: ServiceProviderKey | undefined
  readonly algorithm: RequestSignature
}

/**
 * What is signed is the octets of the query as they are sent, so the query is written here by hand and never parsed again.
 *
 * @spec SAML Bindings §3.4.4.1 DEFLATE encoding in the query, and its signature
 * @spec SAML Bindings §3.5.4 base64 in a form
 */
export function sendMessage({ carries, id, xml, address, binding, relayState, key, algorithm }: MessageToSend): UpstreamAnswer {
  const state = relayState === undefined ? {} : { RelayState: relayState }
  if (binding === 'post') {
    const message = key === undefined ? xml : signEnveloped(xml, id, key, algorithm)
    return { kind: 'form', action: address, fields: { [carries]: Buffer.from(message, 'utf8').toString('base64'), ...state } }
  }
  const deflated = deflateRawSync(Buffer.from(xml, 'utf8')).toString('base64')
  const query = toQuery({ [carries]: deflated, ...state })
  return { kind: 'redirect', url: withQuery(address, key === undefined ? query : signQuery(query, key, algorithm)) }
}

export const toQuery = (parameters: Readonly<Record<string, string>>): string =>
  Object.entries(parameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')

/** Keeps the query that the IdP's URL already has (Google: `?idpid=…`). */
export function withQuery(address: string, query: string): string {
  const { href } = new URL(address)
  return query === '' ? href : `${href}${href.includes('?') ? '&' : '?'}${query}`
}
