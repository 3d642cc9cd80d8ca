/**
 * In which ways a client may become known to a tenant: by a document of its own, by registering itself, or by an admin.
 *
 * A way that is closed grants nothing new, to a client that is known already either. What was granted before lives on: an admin who wants
 * that to end kills the client.
 */
import { z } from 'zod'
import { type Client, hostName } from './client.js'

export const registrationLimits = { documentHosts: 200 } as const

const host = z
  .string()
  .max(253)
  .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, 'a host in lower case, in A-labels, without port')

/** Every member is needed: one that is left out would open what somebody has closed. */
export const clientRegistrationShape = z.strictObject({
  metadataDocuments: z.boolean().describe('Clients that describe themselves at their client_id: OAuth CIMD'),
  documentHosts: z.array(host).max(registrationLimits.documentHosts).describe('Where those documents may be; empty: anywhere'),
  dynamic: z.boolean().describe('Clients that register themselves: RFC 7591'),
  preregistered: z.boolean().describe('Clients that an admin registers'),
})
export type ClientRegistration = z.output<typeof clientRegistrationShape>

export const everyWay: ClientRegistration = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true }
const noWay: ClientRegistration = { metadataDocuments: false, documentHosts: [], dynamic: false, preregistered: false }

/** Whatever the store holds. Where nobody has chosen, every way is open; what is not readable opens none. */
export function clientRegistrationFromJson(json: unknown): ClientRegistration {
  if (json === undefined) return everyWay
  const parsed = clientRegistrationShape.safeParse(json)
  return parsed.success ? parsed.data : noWay
}

/** Whether a client of this kind and id may be granted anything new. Of a document the whole host counts, whatever its port. */
export function isWayOpen(registration: ClientRegistration, { kind, id }: Pick<Client, 'kind'> & { readonly id: string }): boolean {
  switch (kind) {
    case 'metadata_document':
      return registration.metadataDocuments && isHostOpen(registration.documentHosts, id)
    case 'dynamic':
      return registration.dynamic
    case 'preregistered':
      return registration.preregistered
  }
}

function isHostOpen(hosts: readonly string[], url: string): boolean {
  if (hosts.length === 0) return true
  return URL.canParse(url) && hosts.includes(hostName(url))
}

/**
 * Whether a document may say that the keys of its client are there: at its own host, or at one where this tenant has documents be. Nobody
 * vouches for it, so it may not have us knock at a stranger's. OAuth CIMD §6
 */
export const isKeyAddressOpen = (documentHosts: readonly string[], documentUrl: string, jwksUri: string): boolean =>
  URL.canParse(documentUrl) && URL.canParse(jwksUri) && [hostName(documentUrl), ...documentHosts].includes(hostName(jwksUri))

/** Whether the keys of a client may be read where its row says: what was allowed when its document was read may have been closed since. */
export const mayReadKeys = (
  { documentHosts }: Pick<ClientRegistration, 'documentHosts'>,
  { kind, id, jwksUri }: Pick<Client, 'kind' | 'id' | 'jwksUri'>,
): boolean => kind !== 'metadata_document' || jwksUri === undefined || isKeyAddressOpen(documentHosts, id, jwksUri)
