/**
 * What a person's directory says beside her login: claims have sources, and where the directory decides, it alone does. security.md
 *
 * The login's own word on the same thing is dropped, never united with it. A directory that has not said anything of her, or nothing that can be
 * read, leaves groups and its claims unknown, which policy reads as strictly as it can.
 *
 * @spec RFC 7643 §4.1, §4.2, §4.3
 */
import { z } from 'zod'
import type { ClaimType } from '../policy/cel-variables.js'
import { policyLimits } from '../policy/error.js'
import { looksLikeGuid } from '../policy/group-names.js'
import type { ClaimMapping } from './claim-mapping.js'
import { claimOfTexts, unknownValue } from './claim-value.js'
import type { ClaimValue, Known, NormalizedIdentity } from './normalized-identity.js'

/** Groups that hold groups: as far up as this a person is in them. Deeper nesting leaves her groups unknown, never cut short. */
export const nestedGroupDepth = 8

/** As the database tells it (`directory_says`): null where the directory of the connection decides nothing. */
const said = z
  .strictObject({
    groups: z.union([z.literal('login'), z.literal('unknown'), z.array(z.tuple([z.string(), z.string().nullable()]))]),
    user: z.record(z.string(), z.unknown()).nullable(),
  })
  .nullable()
type Said = NonNullable<z.infer<typeof said>>

export type ClaimSources = Pick<ClaimMapping, 'claims'>

/** What cannot be read counts as a directory that decides and says nothing. `mapping` absent: no claim of hers comes from the directory. */
export function withDirectory(identity: NormalizedIdentity, directorySays: unknown, mapping: ClaimSources | undefined): NormalizedIdentity {
  const rules = mapping?.claims.filter((rule) => rule.directory !== undefined) ?? []
  const parsed = said.safeParse(directorySays ?? null)
  const word: Said | null = parsed.success ? parsed.data : { groups: 'unknown', user: null }
  if (word === null && rules.length === 0) return identity
  const claims = new Map<string, ClaimValue>(identity.claims)
  const unknownClaims = new Set(identity.unknownClaims)
  for (const { claim, type, directory = '' } of rules) {
    const value = word?.user ? valueAt(word.user, directory, type) : unknownValue
    if (value.state === 'known') claims.set(claim, value.value)
    else claims.delete(claim)
    if (value.state === 'unknown') unknownClaims.add(claim)
    else unknownClaims.delete(claim)
  }
  return {
    ...identity,
    claims,
    unknownClaims: unknownClaims.size === 0 ? undefined : unknownClaims,
    groups: word === null || word.groups === 'login' ? identity.groups : groupsOf(word.groups),
  }
}

/**
 * A group is known by its name and by the id that the directory gave it. A name that looks like an id is no name: members may rename a group of theirs, and
 * would be in every group whose id they know.
 */
function groupsOf(list: Exclude<Said['groups'], 'login'>): Known<readonly string[]> {
  if (list === 'unknown') return { state: 'unknown' }
  const names = [...new Set(list.flatMap(([name, id]) => [...(looksLikeGuid(name) ? [] : [name]), ...(id === null ? [] : [id])]))]
  return names.length <= policyLimits.groups && names.every((name) => name.length <= policyLimits.claimCharacters)
    ? { state: 'known', value: names }
    : { state: 'unknown' }
}

/** Nothing there: absent. Something that is no text: nobody can read it. */
function valueAt(user: Readonly<Record<string, unknown>>, path: string, type: ClaimType): Known<ClaimValue> {
  const texts = textsAt(user, path)
  if (texts === undefined) return { state: 'absent' }
  return texts.length === 0 ? unknownValue : claimOfTexts(texts, type)
}

/** `urn:…:User:department`, `name.givenName`, `roles`: of several values each, or its `value`. */
function textsAt(user: Readonly<Record<string, unknown>>, path: string): readonly string[] | undefined {
  const colon = path.lastIndexOf(':')
  const extension = colon < 0 ? user : member(user, path.slice(0, colon))
  const [attribute = '', sub] = path.slice(colon + 1).split('.')
  const value = member(extension, attribute)
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (value === undefined || value === null || values.length === 0) return undefined
  return values.flatMap((one) => {
    const text = sub === undefined ? (isRecord(one) ? member(one, 'value') : one) : member(one, sub)
    return typeof text === 'string' || typeof text === 'number' || typeof text === 'boolean' ? [String(text)] : []
  })
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names of attributes in any case. @spec RFC 7643 §2.1 */
function member(value: unknown, name: string): unknown {
  if (!isRecord(value)) return undefined
  const wanted = name.toLowerCase()
  return Object.entries(value).find(([own]) => own.toLowerCase() === wanted)?.[1]
}
