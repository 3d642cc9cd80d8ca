/**
 * In which ways a client may become known to a tenant: by a document of its own, by registering itself, or by an admin; and whether one that speaks
 * for itself has to be approved by an admin first.
 *
 * A way that is closed grants nothing new, to a client that is known already either, and so does a want of approval. What was granted before lives
 * on: an admin who wants that to end kills the client.
 */
import { z } from 'zod'
import { type Client, hostName, isVouchedFor } from './client.js'

const hour = 3600
const day = 24 * hour

/**
 * Strangers may register what they like, so none of it may stay for ever. A client that was never used makes room after `dynamicClientStaysSeconds`
 * where a tenant has as many as it may: within that time strangers come to fewer than `dynamicClients`, by the limit on registrations at a tenant.
 */
export const registrationLimits = {
  documentHosts: 200,
  /** Living clients of a tenant that registered themselves. */
  dynamicClients: 10_000,
  dynamicClientStaysSeconds: hour,
  /** Copies of a tenant of clients that registered themselves at the front, as long as nobody has got a token by them. They make room by the same rule. */
  unusedCopies: 10_000,
  /** Living clients of a tenant that describe themselves. They make room by the same rule. */
  metadataDocuments: 10_000,
  /** A client that never got a token goes after this; it was registered and forgotten. So does one that describes itself, once nothing refers to it. */
  unusedClientSeconds: day,
  /** One that asked in vain, for want of an approval, waits so long for an admin, and is listed so long; where there is no room it goes like any other. */
  askedClientSeconds: 30 * day,
  /** One that got no token for so long goes, if nothing that it was granted is left. */
  idleClientSeconds: 90 * day,
} as const

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
  approvalRequired: z
    .boolean()
    .describe('Clients that describe or register themselves get nothing until an admin of the tenant has approved them'),
})
export type ClientRegistration = z.output<typeof clientRegistrationShape>

export const everyWay: ClientRegistration = {
  metadataDocuments: true,
  documentHosts: [],
  dynamic: true,
  preregistered: true,
  approvalRequired: false,
}
const noWay: ClientRegistration = {
  metadataDocuments: false,
  documentHosts: [],
  dynamic: false,
  preregistered: false,
  approvalRequired: true,
}

/** What was chosen before approvals could be demanded demands none. */
const storedShape = clientRegistrationShape.extend({ approvalRequired: clientRegistrationShape.shape.approvalRequired.default(false) })

/** Whatever the store holds. Where nobody has chosen, every way is open; what is not readable opens none. */
export function clientRegistrationFromJson(json: unknown): ClientRegistration {
  if (json === undefined) return everyWay
  const parsed = storedShape.safeParse(json)
  return parsed.success ? parsed.data : noWay
}

/** Why a client may be granted nothing new here; `undefined`: it may. A closed way stays closed to whoever is approved. */
export function whyNothingNew(
  registration: ClientRegistration,
  client: Pick<Client, 'kind' | 'id' | 'preApproved'>,
): 'way_closed' | 'not_approved' | undefined {
  if (!isWayOpen(registration, client)) return 'way_closed'
  return registration.approvalRequired && !isVouchedFor(client) ? 'not_approved' : undefined
}

/** What a tenant has chosen and, where its people and clients come by the front issuer, what the vendor has chosen for all who come there. */
export type RegistrationRules = {
  readonly clientRegistration: ClientRegistration
  readonly vendorsRegistration?: ClientRegistration | undefined
  /** Whether clients that register themselves have to bring a statement that the tenant believes. */
  readonly softwareStatements?: { readonly required: boolean } | undefined
}

/**
 * At the front both have to let it: an approval of the one is none of the other's. Whoever registered there brought no statement that this tenant believes; its
 * admin may vouch for the client instead. At the tenant's own issuer a statement was asked for when it registered.
 */
export function whyNothingNewAt(
  { clientRegistration, vendorsRegistration, softwareStatements }: RegistrationRules,
  client: Pick<Client, 'kind' | 'id' | 'preApproved' | 'approvedAtFront'>,
): 'way_closed' | 'not_approved' | undefined {
  const here = whyNothingNew(clientRegistration, client)
  if (vendorsRegistration === undefined || here === 'way_closed') return here
  if (softwareStatements?.required && client.kind === 'dynamic' && !client.preApproved) return 'way_closed'
  return whyNothingNew(vendorsRegistration, { ...client, preApproved: client.approvedAtFront === true }) ?? here
}

/** Whether the way by which a client of this kind and id becomes known is open. Of a document the whole host counts, whatever its port. */
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
