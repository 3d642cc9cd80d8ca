/** Who the people of a trust are: how its assertions name them, and where they are found. The same members for JWT and SAML. */
import { type ClaimMapping, parseClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { err, ok, type Result } from '@drawbridge/core/result'
import { issuersHeldAt } from '@drawbridge/core/tenant/at-issuer'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { z } from 'zod'
import type { UpstreamRefusal } from '../error.js'

export const trustTextLength = 1024
const text = z.string().min(1).max(trustTextLength)

/** As we write it, because it is compared as text where a connection is killed. */
export const connectionOfTrust = z.uuid().regex(/^[^A-F]+$/, 'must be in lower case')

/** Members of every trust that say where it holds. */
export const placeMembers = { at: z.enum(issuersHeldAt).default('own') }

export const peopleMembers = {
  peopleOf: z.strictObject({ connection: connectionOfTrust, key: text }).optional(),
  mapping: z.record(z.string(), z.unknown()).optional(),
  stableIdAttribute: text.optional(),
  groupsAttribute: text.optional(),
  scimLinkKey: z.strictObject({ attribute: text, scim: z.enum(['userName', 'externalId']) }).optional(),
}
type Members = z.output<z.ZodObject<typeof peopleMembers>>

export type TrustPeople = {
  /** Undefined: they are people of the trust itself. */
  readonly peopleOf: { readonly connection: ConnectionId; readonly key: string } | undefined
  readonly mapping: ClaimMapping
  readonly scimLinkKey: { readonly attribute: string; readonly scim: 'userName' | 'externalId' } | undefined
}

const invalid = (member: string, message: string): { readonly ok: false; readonly error: UpstreamRefusal } =>
  err({ reason: 'connection_configuration_invalid', detail: { member, message } })

/** The short forms are folded into the mapping, so that the rest of the house knows one form only. `protocolKey`: how `key` calls the protocol's own id. */
export function parsePeople(members: Members, protocolKey?: string): Result<TrustPeople, UpstreamRefusal> {
  const { peopleOf, mapping, stableIdAttribute, groupsAttribute, scimLinkKey } = members
  if (peopleOf !== undefined && (stableIdAttribute !== undefined || mapping?.['stableId'] !== undefined))
    return invalid('peopleOf', 'its key names the person, so the mapping has no stable id of its own')
  const key = peopleOf?.key === protocolKey ? undefined : peopleOf?.key
  const stableId = key ?? stableIdAttribute
  const parsed = parseClaimMapping({
    ...mapping,
    ...(stableId !== undefined && { stableId: { attribute: stableId } }),
    ...(groupsAttribute !== undefined && { groups: { from: [groupsAttribute] } }),
  })
  if (!parsed.ok) return invalid('mapping', parsed.error.say)
  const people = peopleOf && { connection: peopleOf.connection as ConnectionId, key: peopleOf.key }
  return ok({ peopleOf: people, mapping: parsed.value, scimLinkKey })
}
