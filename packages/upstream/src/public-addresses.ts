/**
 * Where an installation is public, no address of an upstream is this machine: what answers there signs in whoever asks (security.md §13).
 *
 * Asked wherever a configuration is written, so that whoever writes it hears of it, and wherever one is read to be used, so that a row that is
 * there all the same admits nobody. Names that are no addresses (a SAML entity ID, the `iss` of a trust) are not judged.
 */
import { err, type Result } from '@drawbridge/core/result'
import { isLoopbackHost } from '@drawbridge/runtime/env'
import { isThisMachine } from '@drawbridge/runtime/special-use'
import type { SamlTrust } from './assertion/saml-trust.js'
import type { AssertionTrust } from './assertion/trust.js'
import type { ConnectionConfiguration } from './connection-configuration.js'
import type { UpstreamRefusal } from './error.js'
import type { SsfTransmitter } from './signals/transmitter.js'

export type Upstream = ConnectionConfiguration | AssertionTrust | SamlTrust

/** Whether an installation is one that others than this machine reach. */
export const isPublic = (publicUrl: string): boolean => !isLoopbackHost(new URL(publicUrl).hostname)

export const leadsToThisMachine = (url: string): boolean => URL.canParse(url) && isThisMachine(new URL(url).hostname)

/** What was parsed, refused where the installation is public and an address in it is not. The refusal names the member. */
export function demandPublicAddresses<T extends Upstream>(
  publicUrl: string,
  parsed: Result<T, UpstreamRefusal>,
): Result<T, UpstreamRefusal> {
  if (!parsed.ok || !isPublic(publicUrl)) return parsed
  const member = Object.entries(addressesOf(parsed.value)).find(([, url]) => url !== undefined && leadsToThisMachine(url))?.[0]
  return member === undefined ? parsed : err({ reason: 'connection_url_loopback', detail: { member } })
}

type Addresses = Readonly<Record<string, string | undefined>>

/** Wherever we, or a browser, are sent to; by the member that says it. */
function addressesOf(upstream: Upstream): Addresses {
  switch (upstream.kind) {
    case 'saml': {
      const { ssoUrl, sloUrl, sloResponseUrl, ssf } = upstream
      return { ssoUrl, sloUrl, sloResponseUrl, ...addressesOfTransmitter(ssf) }
    }
    case 'oidc': {
      const { issuer, discoveryUrl, graph, signalIssuers, ssf } = upstream
      const further = Object.fromEntries(signalIssuers.map((url, index) => [`signalIssuers[${index}]`, url]))
      return {
        issuer,
        discoveryUrl,
        'graph.url': graph?.url,
        'graph.tokenUrl': graph?.tokenUrl,
        ...further,
        ...addressesOfTransmitter(ssf),
      }
    }
    case 'assertion':
      return { jwksUri: upstream.jwksUri }
    case 'saml-assertion':
      return {}
  }
}

/** The issuer is one only where nothing else says where its configuration is. */
const addressesOfTransmitter = (ssf: SsfTransmitter | undefined): Addresses => ({
  'ssf.issuer': ssf?.configurationUrl === undefined ? ssf?.issuer : undefined,
  'ssf.jwksUri': ssf?.jwksUri,
  'ssf.configurationUrl': ssf?.configurationUrl,
})
