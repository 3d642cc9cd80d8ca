/**
 * The grammar of filters beside a printer that knows nothing of our parser: trees are printed with no more parentheses than precedence needs, or with more,
 * and read back as the same trees. RFC 7644 §3.4.2.2: `not` binds before `and`, `and` before `or`.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Filter, leafOf } from './filter.js'
import { parseFilter } from './parse-filter.js'
import { groupType, userType } from './resource-type.js'

type Tree =
  | { readonly is: 'and' | 'or'; readonly of: readonly Tree[] }
  | { readonly is: 'not'; readonly of: Tree }
  | { readonly is: 'some'; readonly in: string; readonly of: Tree }
  | { readonly is: 'leaf'; readonly name: string; readonly operator: string; readonly value?: string }

const operators = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew')
/** Texts that would end a text, a bracket or an operator if somebody read them carelessly. */
const values = fc.constantFrom('a', '', ' and ', ') or (', '"', '\\', ']', 'not (x pr)', 'é😀', 'true')
const leafOfNames = (...names: readonly string[]): fc.Arbitrary<Tree> =>
  fc.oneof(
    fc.record({ is: fc.constant('leaf' as const), name: fc.constantFrom(...names), operator: operators, value: values }),
    fc.record({ is: fc.constant('leaf' as const), name: fc.constantFrom(...names), operator: fc.constant('pr') }),
  )

function treesOf(leaf: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> {
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.record({ is: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }) }),
      fc.record({ is: fc.constant('not' as const), of: tie('tree') }),
    ),
  }))
  return tree
}
const someOf = (attribute: string, ...subs: readonly string[]): fc.Arbitrary<Tree> =>
  fc.record({ is: fc.constant('some' as const), in: fc.constant(attribute), of: treesOf(leafOfNames(...subs)) })

const userTree = treesOf(fc.oneof(leafOfNames('title', 'displayName', 'nickName'), someOf('emails', 'value', 'type')))
const groupTree = treesOf(fc.oneof(leafOfNames('displayName', 'externalId'), someOf('members', 'value', 'display')))

/** How an occurrence is written: by its turn in a list that fast-check chose. */
type Style = { readonly capitals: boolean; readonly extra: boolean; readonly spaces: number }
const styles = fc.array(fc.record({ capitals: fc.boolean(), extra: fc.boolean(), spaces: fc.integer({ min: 1, max: 3 }) }), {
  minLength: 1,
  maxLength: 7,
})

const rank = { or: 0, and: 1, not: 2, some: 2, leaf: 2 } as const

function printed(tree: Tree, choices: readonly Style[]): string {
  let turn = 0
  const next = (): Style => choices[turn++ % choices.length] as Style
  const word = (text: string): string => (next().capitals ? text.toUpperCase() : text)
  const gap = (): string => ' '.repeat(next().spaces)
  const print = (one: Tree, within: number): string => {
    const text = bare(one)
    return rank[one.is] < within || (one.is !== 'not' && next().extra) ? `(${text})` : text
  }
  const bare = (one: Tree): string => {
    if (one.is === 'leaf') {
      const start = `${word(one.name)}${gap()}${word(one.operator)}`
      return one.value === undefined ? start : `${start}${gap()}${JSON.stringify(one.value)}`
    }
    if (one.is === 'some') return `${word(one.in)}[${print(one.of, 0)}]`
    if (one.is === 'not') return `${word('not')}${gap()}(${print(one.of, 0)})`
    // A part of the same kind is left to the flattening of both sides.
    return one.of.map((part) => print(part, rank[one.is])).join(`${gap()}${word(one.is)}${gap()}`)
  }
  return print(tree, 0)
}

/** `a and (b and c)` is `a and b and c`. */
const flat = (kind: string, parts: readonly unknown[]): readonly unknown[] =>
  parts.flatMap((part) => (Array.isArray(part) && part[0] === kind ? (part.slice(1) as unknown[]) : [part]))

const meantBy = (tree: Tree): readonly unknown[] => {
  if (tree.is === 'leaf') return [tree.operator, tree.name.toLowerCase(), ...(tree.value === undefined ? [] : [tree.value])]
  if (tree.is === 'not') return ['not', meantBy(tree.of)]
  if (tree.is === 'some') return ['some', tree.in.toLowerCase(), meantBy(tree.of)]
  return [tree.is, ...flat(tree.is, tree.of.map(meantBy))]
}

function readBack(filter: Filter): readonly unknown[] {
  switch (filter.kind) {
    case 'present':
      return ['pr', leafOf(filter.path).name.toLowerCase()]
    case 'compare':
      return [filter.operator, leafOf(filter.path).name.toLowerCase(), filter.operand.value]
    case 'not':
      return ['not', readBack(filter.part)]
    case 'some':
      return ['some', leafOf(filter.path).name.toLowerCase(), readBack(filter.part)]
    default:
      return [filter.kind, ...flat(filter.kind, filter.parts.map(readBack))]
  }
}

test.each([
  { of: 'people', type: userType, trees: userTree },
  { of: 'groups', type: groupType, trees: groupTree },
])('a filter of $of is read as the tree that was printed', ({ type, trees }) => {
  fc.assert(
    fc.property(trees, styles, (tree, choices) => {
      const text = printed(tree, choices)
      const parsed = parseFilter(type, text)
      // What is longer or deeper than the limits is another test's; nothing else may be refused.
      fc.pre(parsed.ok || !/than the limit filter/.test(String(parsed.error.detail)))
      expect({ text, read: parsed.ok ? readBack(parsed.value) : parsed.error }).toEqual({ text, read: meantBy(tree) })
    }),
    { numRuns: 3_000 },
  )
})

test('precedence is seen: what binds first is not what is written first', () => {
  const read = (text: string) => {
    const parsed = parseFilter(userType, text)
    return parsed.ok ? readBack(parsed.value) : parsed.error
  }
  expect(read('title pr or nickName pr and displayName pr')).toEqual([
    'or',
    ['pr', 'title'],
    ['and', ['pr', 'nickname'], ['pr', 'displayname']],
  ])
  expect(read('not (title pr) and nickName pr')).toEqual(['and', ['not', ['pr', 'title']], ['pr', 'nickname']])
})
