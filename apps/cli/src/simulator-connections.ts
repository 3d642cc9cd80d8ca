/** What an administrator would copy from the simulator into Drawbridge: its metadata as a connection's configuration. */
import type { Simulator } from '@drawbridge/simulator/simulator'

export type UpstreamSetUp = { readonly configuration: Readonly<Record<string, unknown>>; readonly secret: string | undefined }

/** The simulator's own metadata, well-formed and ours; metadata of strangers goes through `upstream`. */
export function samlConnectionOf(simulator: Simulator): UpstreamSetUp {
  const xml = simulator.metadataXml('acme')
  const certificates = [...xml.matchAll(/<(?:\w+:)?X509Certificate[^>]*>([^<]+)</g)].map((match) => pemOf(match[1] ?? ''))
  return {
    secret: undefined,
    configuration: {
      idpEntityId: attribute(xml, /<(?:\w+:)?EntityDescriptor[^>]*\sentityID="([^"]+)"/),
      ssoUrl: attribute(xml, /<(?:\w+:)?SingleSignOnService[^>]*HTTP-Redirect"[^>]*\sLocation="([^"]+)"/),
      certificates: [...new Set(certificates)],
      sloUrl: attribute(xml, /<(?:\w+:)?SingleLogoutService[^>]*HTTP-Redirect"[^>]*\sLocation="([^"]+)"/),
      loginHintParameter: 'login_hint', // in a lab, who is named in it is signed in without being asked
      scimLinkKey: { attribute: 'NameID', scim: 'externalId' },
      ssf: { issuer: simulator.signals('acme').issuer },
    },
  }
}

export function oidcConnectionOf(simulator: Simulator): UpstreamSetUp {
  const { clientId, clientSecret } = simulator.oidcClient('globex')
  return {
    secret: clientSecret,
    configuration: {
      ...{ issuer: simulator.oidcIssuer('globex'), clientId, scimLinkKey: { attribute: 'sub', scim: 'externalId' } },
      ssf: { issuer: simulator.signals('globex').issuer },
    },
  }
}

function attribute(xml: string, pattern: RegExp): string {
  const found = pattern.exec(xml)?.[1]
  if (found === undefined) throw new Error('the simulator’s metadata have another shape than expected')
  return found.replaceAll('&amp;', '&')
}

const pemOf = (base64: string): string =>
  `-----BEGIN CERTIFICATE-----\n${(base64.replace(/\s+/g, '').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`
