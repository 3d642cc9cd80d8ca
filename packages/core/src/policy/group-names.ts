/**
 * Which groups a rule means: by the name or the id that the IdP sends, or by a place in the directory, with all that is below it.
 *
 * Ids that are GUIDs are compared without regard to case, because people copy them from consoles that disagree. A place is a path
 * (`/Engineering/Platform`) or the end of a distinguished name (`OU=Engineering,DC=acme,DC=example`), compared without case.
 *
 * @spec RFC 4514 distinguished names
 */
/** What a document calls a group: a name of its own, the IdP's name or id, or a place in the directory. */
export type GroupEntry = string | { readonly path: string }
export type GroupDefinition = {
  readonly names?: readonly string[] | undefined
  readonly ids?: readonly string[] | undefined
  readonly paths?: readonly string[] | undefined
}

/** Whoever is in one of `names`, or in a group at or below one of `places`. */
export type GroupSet = { readonly names: ReadonlySet<string>; readonly places: ReadonlySet<string> }
/** Whoever is in one of the groups that a rule names itself, or in one that the document defines: the same one for every rule that names it. */
export type GroupMatcher = GroupSet & { readonly defined: readonly GroupSet[] }

/** What each group stands for that a document defines: made once, however many rules name it. */
export const groupSets = (definitions: Readonly<Record<string, GroupDefinition>>): ReadonlyMap<string, GroupSet> =>
  new Map(
    Object.entries(definitions).map(([own, { names = [], ids = [], paths = [] }]) => [
      own,
      { names: new Set([...names, ...ids].map(groupName)), places: new Set(paths.map(placeOf)) },
    ]),
  )

/** What each of these entries stands for. A group that the document defines is what its definition says, and nothing else. */
export function groupMatcher(entries: readonly GroupEntry[], definitions: ReadonlyMap<string, GroupSet>): GroupMatcher {
  const names = new Set<string>()
  const places = new Set<string>()
  const defined = new Set<GroupSet>()
  for (const entry of entries) {
    if (typeof entry !== 'string') {
      places.add(placeOf(entry.path))
      continue
    }
    const definition = definitions.get(entry)
    if (definition === undefined) names.add(groupName(entry))
    else defined.add(definition)
  }
  return { names, places, defined: [...defined] }
}

/** How many groups it stands for, those that several of its parts name counted as often. */
export const sizeOfMatcher = (matcher: GroupMatcher): number =>
  [matcher, ...matcher.defined].reduce((sum, { names, places }) => sum + names.size + places.size, 0)

/** A group as it is compared. Cheap on purpose: it is asked of every group of every login. */
export const groupName = (name: string): string => (looksLikeGuid(name) ? name.toLowerCase() : name)

/** How directories of Microsoft write the ids of their groups, and nobody a name. */
export const looksLikeGuid = (text: string): boolean =>
  text.length === 36 && text[8] === '-' && text[13] === '-' && text[18] === '-' && text[23] === '-'

const isPath = (text: string): boolean => text.startsWith('/')

/** What could be a place of somebody's group. */
export const isPlace = (text: string): boolean => isPath(text) || relativeNames(text).every((part) => part.indexOf('=') > 0)

/** A place as it is compared: paths as they are, names in lower case and without the blanks around separators. */
export const placeOf = (place: string): string => (isPath(place) ? withoutEnd(place) : relativeNames(place).join(','))

/** How many levels a place names; deeper ones than `placeDepth` are refused when a policy is saved. */
export const depthOfPlace = (place: string): number =>
  isPath(place) ? withoutEnd(place).split('/').length - 1 : relativeNames(place).length

/** How many levels the places of a policy have, each once: of paths, and of names. */
export type PlaceDepths = { readonly ofPaths: readonly number[]; readonly ofNames: readonly number[] }

export function depthsOfPlaces(places: Iterable<string>): PlaceDepths {
  const [ofPaths, ofNames] = [new Set<number>(), new Set<number>()]
  for (const place of places) (isPath(place) ? ofPaths : ofNames).add(depthOfPlace(place))
  return { ofPaths: [...ofPaths], ofNames: [...ofNames] }
}

/** The places at or above a group that are as deep as one of a policy can be; none for a group that is named without a place. */
export function placesAbove(group: string, { ofPaths, ofNames }: PlaceDepths): readonly string[] {
  if (isPath(group)) return ofPaths.length === 0 ? [] : placesOfPath(withoutEnd(group), ofPaths)
  return ofNames.length > 0 && group.includes('=') ? placesOfName(relativeNames(group), ofNames) : []
}

function placesOfPath(path: string, depths: readonly number[]): readonly string[] {
  const ends = [...path.slice(1).matchAll(/\/|$/g)].map(({ index }) => index + 1)
  return depths.flatMap((depth) => (depth > ends.length ? [] : [path.slice(0, ends[depth - 1])]))
}

/** Each is the end of one text, so that a long name is put together once. */
function placesOfName(parts: readonly string[], depths: readonly number[]): readonly string[] {
  const name = parts.join(',')
  const begins: number[] = []
  let at = name.length + 1
  for (const part of parts.toReversed()) begins.push((at -= part.length + 1))
  return depths.flatMap((depth) => (depth > begins.length ? [] : [name.slice(begins[depth - 1])]))
}

const withoutEnd = (path: string): string => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path)

/** The parts of a distinguished name, however it escapes what it must. An escaped comma separates nothing. */
const relativeNames = (name: string): readonly string[] => separated(name).map(sameName)

/** One form for each relative name: small letters, no blanks around it that are not escaped, and escaped only what would separate. RFC 4514 §2.4 */
function sameName(part: string): string {
  const at = part.indexOf('=')
  if (at < 0) return part.trim().toLowerCase()
  const value = part.slice(at + 1)
  return `${part.slice(0, at).trim()}=${value.includes('\\') ? sameValue(value) : value.trim()}`.toLowerCase()
}

const escaped = /\\(?:((?:[0-9a-f]{2})(?:\\[0-9a-f]{2})*)|(.)|$)/gis
const separates = /[,+\\]/g

/** Octets are UTF-8, several of them one character. Blanks at the ends are the value's own where they are escaped. */
function sameValue(value: string): string {
  const begin = value.length - value.trimStart().length
  const end = value.trimEnd().length
  // The last blank belongs to a backslash before it, unless that one is escaped itself.
  let slashes = 0
  while (slashes < end - begin && value[end - 1 - slashes] === '\\') slashes += 1
  return value
    .slice(begin, slashes % 2 === 1 ? end + 1 : end)
    .replace(escaped, (_, octets: string | undefined, character: string | undefined) => {
      const text = octets === undefined ? (character ?? '') : Buffer.from(octets.replaceAll('\\', ''), 'hex').toString('utf8')
      // Octets that are no text stay what they are.
      return octets !== undefined && text.includes('\uFFFD') ? `\\${octets}` : text.replace(separates, (one) => `\\${one}`)
    })
}

function separated(name: string): readonly string[] {
  if (!name.includes('\\')) return name.split(',')
  const parts: string[] = []
  let begin = 0
  for (let at = 0; at < name.length; at += 1) {
    if (name[at] === '\\') at += 1
    else if (name[at] === ',') {
      parts.push(name.slice(begin, at))
      begin = at + 1
    }
  }
  return [...parts, name.slice(begin)]
}
