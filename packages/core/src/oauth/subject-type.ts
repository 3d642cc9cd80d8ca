/**
 * By which `sub` a client knows people: by the one that everybody is told, or by one of its own sector, so that clients of different sectors cannot
 * find out that they speak of the same person.
 */
import { z } from 'zod'
import { type Client, hostName } from './client.js'
import { isOnOwnMachine } from './redirect-uri.js'

export const subjectTypes = ['public', 'pairwise'] as const
/** @spec OIDC Core §8 */
export type SubjectType = (typeof subjectTypes)[number]

/** What a tenant wants of clients that say nothing, and of those that nobody vouches for. */
export const subjectTypeRulesShape = z.strictObject({
  pairwiseByDefault: z
    .boolean()
    .describe('Clients that become known from then on know people by a sub of their own; only an admin registers one that does not'),
})
export type SubjectTypeRules = z.output<typeof subjectTypeRulesShape>

export const subjectTypeOf = ({ sectorIdentifier }: Pick<Client, 'sectorIdentifier'>): SubjectType =>
  sectorIdentifier === undefined ? 'public' : 'pairwise'

type Asked = {
  readonly asked: SubjectType | undefined
  /** As it is known already: a default that was chosen since gives nobody another `sub`. */
  readonly before: SubjectType | undefined
  readonly kind: Client['kind']
}

/** Who registers itself does not opt out of what its tenant wants. RFC 7591 §3.2.1: the answer says what was registered. */
export function decideSubjectType({ asked, before, kind }: Asked, { pairwiseByDefault }: SubjectTypeRules): SubjectType {
  const wanted = asked ?? before ?? (pairwiseByDefault ? 'pairwise' : 'public')
  const isOptOut = wanted === 'public' && pairwiseByDefault && kind !== 'preregistered' && before !== 'public'
  return isOptOut ? 'pairwise' : wanted
}

type Sectored = Pick<Client, 'id' | 'kind' | 'redirectUris' | 'grantTypes' | 'sectorIdentifierUri'>

/** Of a client that shares a sector with nobody. No host has a colon in it. */
const ownSector = ({ id }: Sectored): string => `client:${id}`
const byCodeAlone: readonly string[] = ['authorization_code', 'refresh_token']

/**
 * The sector of a client: the host of its `sector_identifier_uri` or of all of its redirect URIs, if only the owner of that host can come by what is
 * told there; else a sector of its own.
 *
 * Whoever registers may write another's host. Where codes go to that host alone, he learns nothing by it; as a device, or by an assertion, he would
 * learn by which `sub` the other knows people. A document can change what it says while its tokens live, so no document shares a sector. A program on a
 * person's machine is at no host.
 *
 * @spec OIDC Core §8.1
 */
export function sectorOf(client: Sectored): string {
  const { kind, grantTypes, redirectUris, sectorIdentifierUri } = client
  if (kind === 'metadata_document') return ownSector(client)
  if (kind === 'dynamic' && !grantTypes.every((type) => byCodeAlone.includes(type))) return ownSector(client)
  if (sectorIdentifierUri !== undefined) return hostName(sectorIdentifierUri)
  const hosts = new Set(redirectUris.map((uri) => (uri.startsWith('https:') && !isOnOwnMachine(uri) ? hostName(uri) : undefined)))
  const [host, ...others] = hosts
  return host === undefined || others.length > 0 ? ownSector(client) : host
}

/** Octets of what is read at a `sector_identifier_uri`. */
export const sectorDocumentMaxBytes = 32 * 1024

/** @spec OIDC Core §8.1 a JSON array of redirect URIs, in which all of the client's are */
export const listsRedirectUris = (document: unknown, redirectUris: readonly string[]): boolean =>
  Array.isArray(document) && redirectUris.length > 0 && redirectUris.every((uri) => document.includes(uri))
