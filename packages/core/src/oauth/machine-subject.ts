/**
 * By which `sub` a client is named that acts in its own name, or for a person: by none that a person could have, and at the front issuer by none of
 * another tenant. docs/adr/0119
 */
import type { ClientId, TenantSlug } from '../tenant/ids.js'

const digitsOfUuid = /^[0-9a-f]{32}$/i
/**
 * 256 bits in base64url: what `crypto/pairwise-subject` makes. One in 5,000 million has no capital, or no small letter: what has none is a word and a UUID,
 * as people call clients, and not such a `sub`.
 */
const pairwise = /^(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/**
 * Whether a person could be known by this: by a UUID, in whatever letters and with hyphens wherever a resource server reads one, or by a `sub` of one sector.
 *
 * @spec RFC 9700 §4.15 client_id that is taken for a sub
 */
export const couldBePersons = (name: string): boolean => digitsOfUuid.test(name.replaceAll('-', '')) || pairwise.test(name)

/** At which issuer. */
export type NamedAt = { readonly tenant: TenantSlug; readonly isFront?: boolean | undefined }

/**
 * At the front one text is a client of many tenants, so the tenant stands before it. A short name has no dot and is never another tenant's, so no two
 * pairs read alike; and nothing with a dot is a person's.
 *
 * @spec RFC 9068 §2.2 sub
 */
export const machineSubject = (client: ClientId, { tenant, isFront }: NamedAt): string =>
  isFront === true ? `${tenant}.${client}` : client

/** @spec RFC 9068 §5 nobody is named by what could be somebody else's */
export const canBeNamed = (client: ClientId, at: NamedAt): boolean => !couldBePersons(machineSubject(client, at))
