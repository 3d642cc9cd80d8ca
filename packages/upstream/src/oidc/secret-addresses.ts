/**
 * Where the client secret of a connection goes, and what it gains: the provider that its discovery document names, and Graph.
 *
 * The secret rests apart from the configuration, which others may change: what was given for one provider goes to no other (docs/adr/0059 says
 * the same of the credentials of streams). So whoever changes an address says the secret again, or that there is none any more.
 */
import { type OidcConnection, parseConnection } from '../connection-configuration.js'
import { discoveryUrlOf, graphDefaultUrl } from './configuration.js'

/** Whether the secret that is kept for `before` would go somewhere with `after` where it does not go now. Stored or submitted configurations. */
export function sendsSecretElsewhere(before: unknown, after: unknown): boolean {
  const known = addressesOf(before)
  return addressesOf(after).some((address) => !known.includes(address))
}

/** Of what cannot be read, none: nothing is sent by it, and what comes after it is all new. */
function addressesOf(configuration: unknown): readonly string[] {
  const parsed = parseConnection('oidc', configuration)
  return parsed.ok && parsed.value.kind === 'oidc' ? addressesOfConnection(parsed.value) : []
}

/** Graph by default is Microsoft's, and its token endpoint the provider's own. */
function addressesOfConnection({ issuer, discoveryUrl, graph }: OidcConnection): readonly string[] {
  const ofGraph = [graph?.tokenUrl, graph?.url === graphDefaultUrl ? undefined : graph?.url]
  return [issuer, discoveryUrlOf({ issuer, discoveryUrl }), ...ofGraph].filter((url) => url !== undefined)
}
