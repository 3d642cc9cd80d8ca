/**
 * Which groups a rule means: by the name or the id that the IdP sends, or by a place in the directory, with all that is below it.
 *
 * Ids that are GUIDs are compared without regard to case, because people copy them from consoles that disagree. A place is a path
 * (`/Engineering/Platform`) or the end of a distinguished name (`OU=Engineering,DC=acme,DC=example`), compared without case.
 *
 * @spec RFC 4514 distinguished names
 */
import { policyLimits } from './error.js'

/** What a document calls a group: a name of its own, the IdP's name or id, or a place in the directory. */
export type GroupEntry = string | { readonly path: string }
export type GroupDefinition = {
  readonly names?: readonly string[] | undefined
  readonly ids?: readonly string[] | undefined
  readonly paths?: readonly string[] | undefined
}

/** Whoever is in one of `names`, or in a group at or below one of `places`. */
export type GroupMatcher = { readonly names: ReadonlySet<string>; readonly places: ReadonlySet<string> }

/** What each of these entries stands for. A group that the document defines is what its definition says, and nothing else. */
export function groupMatcher(entries: readonly GroupEntry[], definitions: Readonly<Record<string, GroupDefinition>>): GroupMatcher {
  const names = new Set<string>()
  const places = new Set<string>()
  for (const entry of entries) {
    const { names: ownNames = [], ids = [], paths = [] } = definitionOf(entry, definitions)
    for (const name of [...ownNames, ...ids]) names.add(groupName(name))
    for (const path of paths) places.add(placeOf(path))
  }
  return { names, places }
}

function definitionOf(entry: GroupEntry, definitions: Readonly<Record<string, GroupDefinition>>): GroupDefinition {
  if (typeof entry !== 'string') return { paths: [entry.path] }
  return (Object.hasOwn(definitions, entry) ? definitions[entry] : undefined) ?? { names: [entry] }
}

/** A group as it is compared. Cheap on purpose: it is asked of every group of every login. */
export const groupName = (name: string): string => (looksLikeGuid(name) ? name.toLowerCase() : name)

const looksLikeGuid = (text: string): boolean =>
  text.length === 36 && text[8] === '-' && text[13] === '-' && text[18] === '-' && text[23] === '-'

const isPath = (text: string): boolean => text.startsWith('/')

/** A place as it is compared: paths as they are, names in lower case and without the blanks around separators. */
export const placeOf = (place: string): string => (isPath(place) ? withoutEnd(place) : relativeNames(place).join(','))

/** How many levels a place names; deeper ones than `placeDepth` are refused when a policy is saved. */
export const depthOfPlace = (place: string): number =>
  isPath(place) ? withoutEnd(place).split('/').length - 1 : relativeNames(place).length

/** Every place at or above a group, from the root down to the limit `placeDepth`; none for a group that is named without a place. */
export function placesAbove(group: string): readonly string[] {
  if (isPath(group)) return placesOf(withoutEnd(group).split('/').slice(1), (parts, depth) => `/${parts.slice(0, depth).join('/')}`)
  return group.includes('=') ? placesOf(relativeNames(group), (parts, depth) => parts.slice(parts.length - depth).join(',')) : []
}

const placesOf = (parts: readonly string[], at: (parts: readonly string[], depth: number) => string): readonly string[] =>
  Array.from({ length: Math.min(parts.length, policyLimits.placeDepth) }, (_, index) => at(parts, index + 1))

const withoutEnd = (path: string): string => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path)

/** The parts of a distinguished name. An escaped comma separates nothing. */
function relativeNames(name: string): readonly string[] {
  const parts: string[] = []
  let begin = 0
  for (let at = 0; at < name.length; at += 1) {
    if (name[at] === '\\') at += 1
    else if (name[at] === ',') {
      parts.push(name.slice(begin, at))
      begin = at + 1
    }
  }
  return [...parts, name.slice(begin)].map((part) => {
    const at = part.indexOf('=')
    return (at < 0 ? part.trim() : `${part.slice(0, at).trim()}=${part.slice(at + 1).trim()}`).toLowerCase()
  })
}
