/**
 * Other opinions on PATCH: random operations on random people and groups, by us and by the npm packages scim-patch and scimmy. Where one differs from us,
 * the difference is on its list below with the reason why ours holds, or the test fails; a reason that explains nothing any more fails it too.
 */

import * as fc from 'fast-check'
import { scimPatch } from 'scim-patch'
import scimmy from 'scimmy'
import { describe, expect, test } from 'vitest'
import { applyPatch } from './apply-patch.js'
import { isList, isObject, isUnset, type Json, type JsonObject, sameJson } from './json.js'
import { planGroupPatch } from './member-change.js'
import { parsePatch } from './patch.js'
import { groupType, userType } from './resource-type.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
type Operation = { readonly op: 'add' | 'replace' | 'remove'; readonly path?: string; readonly value?: Json }

const word = fc.constantFrom('a', 'b', 'c')
const email = fc.record(
  { type: fc.constantFrom('work', 'home'), value: word, primary: fc.constant(true) },
  { requiredKeys: ['type', 'value'] },
)
const emails = fc
  .uniqueArray(email, { maxLength: 3, selector: (one) => `${one.type} ${one.value}` })
  .map((list) => list.map(({ type, value, primary }, at) => (at === 0 && primary === true ? { type, value, primary } : { type, value })))
const person = fc.record(
  {
    userName: word,
    active: fc.boolean(),
    title: word,
    name: fc.record({ givenName: word, familyName: word }, { requiredKeys: ['givenName'] }),
    emails,
    [enterprise]: fc.record({ department: word, manager: fc.record({ value: word, displayName: word }) }, { requiredKeys: ['department'] }),
  },
  { requiredKeys: ['userName', 'active'] },
)
const kind = fc.constantFrom('add' as const, 'replace' as const)
const wheres = [
  'type eq "work"',
  'type eq "home"',
  'value eq "a"',
  'type eq "work" and value eq "b"',
  'type eq "work" or value eq "c"',
] as const
const where = fc.constantFrom(...wheres)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    op: kind,
    path: fc.constantFrom('title', 'userName', 'name.givenName', 'name.familyName', `${enterprise}:department`),
    value: word,
  }),
  fc.record({ op: kind, path: fc.constant('active'), value: fc.boolean() }),
  fc.record({ op: kind, path: fc.constant('name'), value: fc.record({ givenName: word, familyName: word }, { requiredKeys: [] }) }),
  fc.record({ op: kind, path: fc.constant('emails'), value: emails }),
  fc.record({ op: kind, path: where.map((one) => `emails[${one}].value`), value: word }),
  fc.record({ op: kind, path: where.map((one) => `emails[${one}]`), value: email }),
  fc.record({
    op: kind,
    value: fc.record({ title: word, active: fc.boolean(), name: fc.record({ givenName: word }), emails }, { requiredKeys: [] }),
  }),
  fc.record({
    op: fc.constant('remove' as const),
    path: fc.constantFrom('title', 'name', 'name.givenName', 'emails', 'userName', `${enterprise}:department`),
  }),
  fc.record({ op: fc.constant('remove' as const), path: where.map((one) => `emails[${one}]`) }),
)

type Outcome = JsonObject | 'refused'

function ours(document: JsonObject, ...given: readonly Operation[]): Outcome {
  const parsed = parsePatch(userType, { Operations: given as unknown as Json })
  const applied = parsed.ok ? applyPatch(document, parsed.value) : parsed
  return applied.ok ? applied.value : 'refused'
}

type Opinion = (document: JsonObject, ...given: readonly Operation[]) => Promise<Outcome>

const byScimPatch: Opinion = async (document, ...given) => {
  try {
    const [copy, operations] = JSON.parse(JSON.stringify([document, given])) as [never, never]
    return withoutUnset(scimPatch(copy, operations, { treatMissingAsAdd: true }) as unknown as JsonObject)
  } catch {
    return 'refused'
  }
}

// Its types ask for an instance, and it for the class.
scimmy.Schemas.User.extend(scimmy.Schemas.EnterpriseUser as never, false)
/** What the package says of its own making is left out, and a list has no order: a value that it replaces it puts at the end. */
const byScimmy =
  (Schema: typeof scimmy.Schemas.User | typeof scimmy.Schemas.Group): Opinion =>
  async (document, ...given) => {
    // To an empty list that it was given it cannot add: none is handed to it, as none is kept with us.
    const [copy, Operations] = JSON.parse(JSON.stringify([withoutUnset(document), given])) as [never, never]
    const schemas = [scimmy.Messages.PatchOp.id] as never
    try {
      const resource = new Schema(copy, 'both')
      const applied = (await new scimmy.Messages.PatchOp({ schemas, Operations }).apply(resource)) ?? resource
      const { schemas: _schemas, meta: _meta, ...outcome } = JSON.parse(JSON.stringify(applied)) as JsonObject
      return inOrder(withoutUnset(outcome))
    } catch (error) {
      if (!(error instanceof scimmy.Types.Error)) throw error
      return 'refused'
    }
  }

const inOrder = (outcome: Outcome): Outcome =>
  outcome === 'refused' || outcome['emails'] === undefined
    ? outcome
    : {
        ...outcome,
        emails: emailsOf(outcome)
          .map(spelt)
          .sort()
          .map((text) => JSON.parse(text) as Json),
      }
/** Members in one order, so that two spellings of one value are one. */
const spelt = (value: Json): string => JSON.stringify(isObject(value) ? Object.fromEntries(Object.entries(value).sort()) : value)

/** An empty list and no list are the same to a client: RFC 7643 §2.5. */
const withoutUnset = (document: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(document)
      .filter(([, value]) => !isUnset(value))
      .map(([name, value]) => [name, isObject(value) ? withoutUnset(value) : value]),
  )

type Case = { readonly document: JsonObject; readonly one: Operation; readonly ours: Outcome; readonly theirs: Outcome }

const hasFilter = ({ path }: Operation): boolean => path?.includes('[') === true
const isWholeValue = (one: Operation): boolean => hasFilter(one) && one.path?.endsWith(']') === true
const emailsOf = (outcome: Outcome): readonly Json[] => (outcome !== 'refused' && isList(outcome['emails']) ? outcome['emails'] : [])
const isPrimary = (item: Json): boolean => isObject(item) && item['primary'] === true
const count = (outcome: Outcome): number => emailsOf(outcome).filter(isPrimary).length
const without = (outcome: Outcome, ...names: readonly string[]): Outcome =>
  outcome === 'refused' ? outcome : Object.fromEntries(Object.entries(outcome).filter(([name]) => !names.includes(name)))

/** Said once more, by hand: what the filters of this file find. */
const finds: Readonly<Record<(typeof wheres)[number], (type: Json | undefined, value: Json | undefined) => boolean>> = {
  'type eq "work"': (type) => type === 'work',
  'type eq "home"': (type) => type === 'home',
  'value eq "a"': (_, value) => value === 'a',
  'type eq "work" and value eq "b"': (type, value) => type === 'work' && value === 'b',
  'type eq "work" or value eq "c"': (type, value) => type === 'work' || value === 'c',
}

/** Nothing but the values that the filter finds became another, and each became what was given. Which of them is primary is another reason's matter. */
function isReplacedAsAWhole({ document, one, ours }: Case): boolean {
  const where = wheres.find((filter) => one.path === `emails[${filter}]`)
  if (where === undefined || ours === 'refused' || !same(without(ours, 'emails'), without(withoutUnset(document), 'emails'))) return false
  const expected = emailsOf(document).map((item) => (isObject(item) && finds[where](item['type'], item['value']) ? one.value : item))
  return toldOf(expected) === toldOf(emailsOf(ours))
}

const same = (one: Outcome, other: Outcome): boolean => (one === 'refused' || other === 'refused' ? one === other : sameJson(one, other))

/** What the value of `emails[...].value` is to become, of each that the filter finds. */
function isReplacedInEach({ document, one, ours }: Case): boolean {
  const where = wheres.find((filter) => one.path === `emails[${filter}].value`)
  if (where === undefined || ours === 'refused' || !same(without(ours, 'emails'), without(withoutUnset(document), 'emails'))) return false
  const isFound = (item: Json): boolean => isObject(item) && finds[where](item['type'], item['value'])
  const expected = emailsOf(document).map((item) => (isObject(item) && isFound(item) ? { ...item, value: one.value } : item))
  const told = (list: readonly unknown[]) => [...new Set(list.map((item) => spelt(item as Json)))].sort().join()
  return emailsOf(document).some(isFound) && told(expected) === told(emailsOf(ours))
}

/** There is a filter, and it finds nothing in what was there. */
function findsNone({ document, one }: Case): boolean {
  const where = wheres.find((filter) => one.path?.startsWith(`emails[${filter}]`))
  return where !== undefined && !emailsOf(document).some((item) => isObject(item) && finds[where](item['type'], item['value']))
}

/** What it gives, with a path or in an object without one. */
const givenIn = ({ path, value }: Operation, name: string): Json | undefined =>
  path === name ? value : path === undefined && isObject(value) ? value[name] : undefined
const nameOf = (outcome: Outcome): Json => (outcome === 'refused' ? {} : (outcome['name'] ?? {}))

/** The parts of the name that are mentioned became what was given, and those that are not stayed. */
const isNameMended = ({ document, one, ours }: Case): boolean => {
  const [given, before] = [givenIn(one, 'name'), nameOf(document)]
  return isObject(given) && isObject(before) && sameJson(nameOf(ours), { ...before, ...given })
}
/** The list is the one that was given. */
const areEmailsReplaced = ({ one, ours }: Case): boolean => {
  const given = givenIn(one, 'emails')
  return isList(given) && toldOf(given) === toldOf(emailsOf(ours))
}
/** Each value once, whichever is primary. */
const toldOf = (list: readonly (Json | undefined)[]): string =>
  [...new Set(list.map((item) => (isObject(item) ? `${JSON.stringify(item['type'])} ${JSON.stringify(item['value'])}` : 'none')))]
    .sort()
    .join()
const restIsSame = ({ ours, theirs }: Case, ...but: readonly string[]): boolean => same(without(ours, ...but), without(theirs, ...but))

/** What is said of parts is what is meant by them: the list that was there with what is added, or the one that was given; the name with what is mentioned. */
const isMeantWithoutPath = (given: Case): boolean => {
  const { one, document, ours } = given
  const [name, emails] = [givenIn(one, 'name'), givenIn(one, 'emails')]
  const isListMeant =
    one.op === 'replace' && emails !== undefined
      ? areEmailsReplaced(given)
      : toldOf(emailsOf(ours)) === toldOf([...emailsOf(document), ...(isList(emails) ? emails : [])])
  return isListMeant && (name === undefined ? sameJson(nameOf(ours), nameOf(document)) : isNameMended(given))
}

/** Why ours holds, and where. */
type Reasons = Readonly<Record<string, (given: Case) => boolean>>
const ofBoth: Reasons = {
  'a matching value is replaced as a whole: RFC 7644 §3.5.2.3': (given) =>
    given.one.op === 'replace' && isWholeValue(given.one) && isReplacedAsAWhole(given),
  'at most one value is primary, and setting one takes the mark from the other: RFC 7644 §3.5.2': (given) =>
    count(given.theirs) > 1 &&
    count(given.ours) === 1 &&
    toldOf(emailsOf(given.ours)) === toldOf(emailsOf(given.theirs)) &&
    restIsSame(given, 'emails'),
  'a value is there already when all that was said of it is there': (given) =>
    given.one.op === 'add' &&
    emailsOf(given.ours).length < emailsOf(given.theirs).length &&
    toldOf(emailsOf(given.ours)) === toldOf(emailsOf(given.theirs)) &&
    restIsSame(given, 'emails'),
}

const ofScimPatch: Reasons = {
  ...ofBoth,
  'a filter that yields no match is noTarget, in a removal too: RFC 7644 §3.12': (given) =>
    findsNone(given) && given.ours === 'refused' && given.theirs !== 'refused',
  'nobody is without a userName: mutability, RFC 7644 §3.5.2.2': ({ one, ours }) =>
    one.op === 'remove' && one.path === 'userName' && ours === 'refused',
  'what the filter says is made when it is not there, by and as well and without a list: Entra': (given) =>
    findsNone(given) &&
    given.one.op !== 'remove' &&
    given.ours !== 'refused' &&
    (given.theirs === 'refused' || (isWholeValue(given.one) && same(given.theirs, withoutUnset(given.document)))),
  'sub-attributes that are not mentioned stay, without a path as well: RFC 7644 §3.5.2.3': (given) =>
    given.one.path === undefined && isMeantWithoutPath(given) && restIsSame(given, 'name', 'emails'),
}

const ofScimmy: Reasons = {
  ...ofBoth,
  'a filter that yields no match is noTarget, in a removal and of a whole value: RFC 7644 §3.5.2.3, §3.12': (given) =>
    findsNone(given) && (given.one.op === 'remove' || isWholeValue(given.one)) && given.ours === 'refused',
  'what the filter says is made when it is not there, by and as well: Entra': (given) =>
    findsNone(given) && given.one.op !== 'remove' && given.ours !== 'refused' && given.theirs === 'refused',
  'sub-attributes that are not mentioned stay: RFC 7644 §3.5.2.3': (given) =>
    given.one.op === 'replace' &&
    isMeantWithoutPath(given) &&
    !sameJson(nameOf(given.ours), nameOf(given.theirs)) &&
    restIsSame(given, 'name', 'emails'),
  'a replacement without a path replaces lists, too: RFC 7644 §3.5.2.3': (given) =>
    given.one.op === 'replace' && given.one.path === undefined && areEmailsReplaced(given) && restIsSame(given, 'emails'),
  'every matching value is given what replaces it, also where the filter asks for what is replaced: RFC 7644 §3.5.2.3': (given) =>
    given.one.op === 'replace' && isReplacedInEach(given),
}

/** None of them leaves scimmy with an empty list, to which it cannot add. */
const givesValues = (operations: readonly Operation[]): boolean =>
  operations.every((one) => {
    const given = givenIn(one, 'emails')
    return !isList(given) || given.length > 0
  })

const libraries = [
  {
    library: 'scim-patch',
    opinion: byScimPatch,
    differences: ofScimPatch,
    arranged: (outcome: Outcome) => outcome,
    isJudged: () => true,
    numRuns: { one: 5_000, several: 3_000 },
  },
  {
    library: 'scimmy',
    opinion: byScimmy(scimmy.Schemas.User),
    differences: ofScimmy,
    arranged: inOrder,
    isJudged: givesValues,
    numRuns: { one: 1_500, several: 400 },
  },
] as const

describe.each(libraries)('$library', ({ opinion, differences, arranged, isJudged, numRuns }) => {
  const mine = (document: JsonObject, ...operations: readonly Operation[]): Outcome => {
    const outcome = ours(document, ...operations)
    return outcome === 'refused' ? outcome : arranged(withoutUnset(outcome))
  }

  test('comes to the same, but for what is listed', async () => {
    const used = new Set<string>()
    await fc.assert(
      fc.asyncProperty(person, operation, async (given, one) => {
        const document = JSON.parse(JSON.stringify(given)) as JsonObject
        const found: Case = { document, one, ours: mine(document, one), theirs: await opinion(document, one) }
        if (same(found.ours, found.theirs)) return
        const reason = Object.keys(differences).find((name) => differences[name]?.(found) === true)
        expect({ ...found, reason }).toEqual({ ...found, reason: expect.any(String) })
        used.add(String(reason))
      }),
      { numRuns: numRuns.one },
    )
    expect([...used].sort()).toEqual(Object.keys(differences).sort())
  })

  test('makes the same of several operations of which it makes the same one by one; and they are all done, or none of them', async () => {
    let [together, refused] = [0, 0]
    await fc.assert(
      fc.asyncProperty(person, fc.array(operation, { minLength: 2, maxLength: 4 }), async (given, operations) => {
        const document = JSON.parse(JSON.stringify(given)) as JsonObject
        let [state, isAgreed]: [Outcome, boolean] = [document, true]
        for (const one of operations) {
          if (state === 'refused') break
          isAgreed &&= same(mine(state, one), await opinion(state, one))
          state = ours(state, one)
        }
        const outcome = ours(document, ...operations)
        expect({ operations, outcome }).toEqual({ operations, outcome: state })
        if (outcome === 'refused') refused += 1
        if (!isAgreed || outcome === 'refused' || !isJudged(operations)) return
        expect({ operations, outcome: arranged(withoutUnset(outcome)) }).toEqual({
          operations,
          outcome: await opinion(document, ...operations),
        })
        together += 1
      }),
      { numRuns: numRuns.several },
    )
    expect([together > numRuns.several / 10, refused > numRuns.several / 30]).toEqual([true, true])
  })
})

describe('of the members of a group', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const list = fc.uniqueArray(id, { maxLength: 3 }).map((ids): Json => ids.map((value) => ({ value })))
  const some = fc.uniqueArray(id, { minLength: 1, maxLength: 3 }).map((ids): Json => ids.map((value) => ({ value })))
  const change: fc.Arbitrary<Operation> = fc.oneof(
    fc.record({ op: kind, path: fc.constant('members'), value: list }),
    fc.record({ op: kind, value: fc.record({ members: list }) }),
    fc.record({ op: fc.constant('remove' as const), path: id.map((one) => `members[value eq "${one}"]`) }),
    fc.record({
      op: fc.constant('remove' as const),
      path: fc.tuple(id, id).map(([one, other]) => `members[value eq "${one}" or value eq "${other}"]`),
    }),
    fc.record({ op: fc.constant('remove' as const), path: fc.constant('members'), value: some }),
    fc.record({ op: fc.constant('remove' as const), path: fc.constant('members') }),
  )
  /** Once each: without a path theirs adds whoever is in it a second time. */
  const idsIn = (members: Json | undefined): readonly string[] =>
    [
      ...new Set(
        (isList(members) ? members : []).map((one) => (isObject(one) && typeof one['value'] === 'string' ? one['value'] : 'none')),
      ),
    ].sort()

  /** As sets, without a look at the members: what `planGroupPatch` says that is done. */
  function asSets(before: readonly string[], operations: readonly Operation[]): readonly string[] | 'refused' | 'unclear' {
    if (operations.length === 0) return before
    const parsed = parsePatch(groupType, { Operations: operations as unknown as Json })
    const plan = parsed.ok ? planGroupPatch(parsed.value) : parsed
    if (!plan.ok) return 'refused'
    if (plan.value.kind === 'unclear') return 'unclear'
    const { from, add, remove } = plan.value.members
    return [...new Set([...(from === 'none' ? [] : before.filter((one) => !remove.has(one))), ...add])].sort()
  }

  /** Whether one of them removes while nobody is in it. */
  const removesFromNone = (before: readonly string[], operations: readonly Operation[]): boolean =>
    operations.some(({ op }, at) => op === 'remove' && asSets(before, operations.slice(0, at)).length === 0)

  /** Without a path scimmy adds where it is asked to replace, and to an empty list that it was given it cannot add. */
  const isUnderstood = (operations: readonly Operation[]): boolean =>
    operations.every((one) => {
      const given = givenIn(one, 'members')
      return !(one.op === 'replace' && one.path === undefined) && !(isList(given) && given.length === 0)
    })

  test.each([
    { library: 'scim-patch', opinion: byScimPatch, isJudged: () => true, numRuns: 3_000 },
    { library: 'scimmy', opinion: byScimmy(scimmy.Schemas.Group), isJudged: isUnderstood, numRuns: 600 },
  ])('the sets that a PATCH of several operations comes to are what $library makes of the list', async ({ opinion, isJudged, numRuns }) => {
    let refusals = 0
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id), fc.array(change, { minLength: 1, maxLength: 4 }), async (before, operations) => {
        fc.pre(isJudged(operations))
        const document = { displayName: 'x', members: before.map((value) => ({ value })) } as unknown as JsonObject
        const other = await opinion(document, ...operations)
        const mine = asSets(before, operations)
        // From a list that is not there, or not any more, it removes nothing and refuses; whoever is in no group can be removed again (`member-change`).
        if (other === 'refused') {
          expect({ operations, mine, removesFromNone: removesFromNone(before, operations) }).toEqual({
            ...{ operations, mine: expect.any(Array) },
            removesFromNone: true,
          })
          refusals += 1
        } else expect({ before, operations, mine }).toEqual({ before, operations, mine: idsIn(other['members']) })
      }),
      { numRuns },
    )
    expect([refusals > 0, refusals < numRuns / 2]).toEqual([true, true])
  })
})
