/**
 * Whatever is accepted does no more than its price: expressions that are made to grow are evaluated by the library itself, over the largest
 * login that there can be, and every step, every text and every list that it makes is counted.
 */

import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { conditionCompiler } from './cel.js'
import { policyLimits } from './error.js'

const compile = conditionCompiler({ skills: 'list' })
const environment = new Environment({ unlistedVariablesAreDyn: false })
  .registerVariable('groups', 'list<string>')
  .registerVariable({ name: 'claims', schema: { email: 'string', name: 'string', title: 'string', skills: 'list<string>' } })

/** In upper case each of these is three. */
const longest = '\u0390'.repeat(policyLimits.claimCharacters)
const largest = {
  groups: Array.from({ length: policyLimits.groups }, () => longest),
  // What is absent is an error each time.
  claims: {
    email: longest,
    name: 'a'.repeat(policyLimits.claimCharacters),
    skills: Array.from({ length: policyLimits.claimListItems }, () => longest),
  },
}

/** Every expression stands where `v` is a variable, and may make another of the same name. */
const { bool } = fc.letrec<{ text: string; list: string; bool: string }>((tie) => {
  const [text, list, bool] = [tie('text'), tie('list'), tie('bool')]
  const oneOf = { maxDepth: 4, withCrossShrink: true }
  const written = (...parts: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
    fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.join(''))
  return {
    text: fc.oneof(
      oneOf,
      fc.constantFrom('v', 'claims.email', 'claims.name', 'claims.title', "'x'"),
      written(text, ' + ', text),
      written('(', bool, ' ? ', text, ' : ', text, ')'),
      written('(', text, fc.constantFrom(').upperAscii()', ').lowerAscii()', ').trim()')),
      written('(', list, ')[0]'),
      written(
        '([',
        text,
        ']',
        fc.integer({ min: 1, max: 8 }).map((times) => '.map(v, v + v)'.repeat(times)),
        ')[0]',
      ),
    ),
    list: fc.oneof(
      oneOf,
      fc.constantFrom('groups', 'claims.skills', '[v, v]', '[claims.email]'),
      written('[', text, ', ', text, ']'),
      written('(', list, ' + ', list, ')'),
      written('(', list, ').map(v, ', text, ')'),
      written('(', list, ').map(v, ', bool, ', ', text, ')'),
      written('(', list, ').filter(v, ', bool, ')'),
      written('(', bool, ' ? ', list, ' : ', list, ')'),
    ),
    bool: fc.oneof(
      oneOf,
      fc.constantFrom("v == 'y'", 'has(claims.title)', 'claims.title == v', '1 / 0 == 1'),
      written(text, fc.constantFrom(' == ', ' != ', ' < ', ' >= '), text),
      written('(', text, fc.constantFrom(').startsWith(', ').contains('), text, ')'),
      written(text, ' in ', list),
      written(list, ' == ', list),
      written('size(', fc.oneof(text, list), ') > 5'),
      written('double(', text, ') > 5.0'),
      written('(', bool, fc.constantFrom(' && ', ' || '), bool, ')'),
      written('(', list, fc.constantFrom(').exists(v, ', ').all(v, ', ').exists_one(v, '), bool, ')'),
    ),
  }
})
const hostile = bool.map((condition) => `[claims.email].exists(v, ${condition})`)

type Work = { steps: number; text: number; items: number }

/** What the library does: each node as often as it is evaluated, and each text and list for what it is long. */
function workOf(source: string): Work {
  const work: Work = { steps: 0, text: 0, items: 0 }
  const parsed = environment.parse(source)
  expect(parsed.check()).toMatchObject({ valid: true })
  const seen = new Set<unknown>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    if (isNode(value)) {
      count(value, work)
      Object.values(value.meta).forEach(visit)
    }
    if (isNode(value) || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) Object.values(value).forEach(visit)
  }
  visit(parsed.ast)
  try {
    parsed(largest)
  } catch {
    // An error has done its work as well.
  }
  return work
}

type Evaluate = (...all: readonly unknown[]) => unknown
type Node = ASTNode & { readonly meta: Record<string, unknown>; readonly setMeta: (key: string, value: unknown) => void }
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'setMeta' in value && 'op' in value

function count(node: Node, work: Work): void {
  const evaluate = node.meta['evaluate'] as Evaluate
  const makes = node.op === '+' || node.op === 'rcall'
  node.setMeta('evaluate', (...all: readonly unknown[]) => {
    const made = evaluate(...all)
    work.steps += 1
    if (typeof made === 'string') {
      work.text = Math.max(work.text, made.length)
      if (makes) work.steps += Math.floor(made.length / 256)
    }
    if (Array.isArray(made)) {
      work.items = Math.max(work.items, made.length)
      if (node.op === '+') work.steps += Math.floor(made.length / 3)
    }
    return made
  })
}

/** The library evaluates up to two nodes of its own beside each of an author's, for a comprehension. */
const nodesPerStep = 3

test('what is accepted does no more than its price, and makes no longer text', () => {
  let [accepted, refused] = [0, 0]
  fc.assert(
    fc.property(hostile, (source) => {
      const compiled = compile(source)
      if (!compiled.ok) {
        refused += 1
        return
      }
      accepted += 1
      const { steps, text, items } = workOf(source)
      expect(text).toBeLessThanOrEqual(policyLimits.expressionText)
      expect(items).toBeLessThanOrEqual(nodesPerStep * compiled.value.cost + policyLimits.groups)
      expect(steps).toBeLessThanOrEqual(nodesPerStep * compiled.value.cost)
    }),
    { numRuns: 500 },
  )
  expect(Math.min(accepted, refused)).toBeGreaterThan(50)
})

test.each([
  ["[claims.email].exists(v, v + v == 'x')", 2 * policyLimits.claimCharacters],
  ["[claims.email].exists(v, (v + v).upperAscii() == 'x')", 6 * policyLimits.claimCharacters],
  ["[claims.email].map(v, v + v).map(v, v + v)[0] == 'x'", 4 * policyLimits.claimCharacters],
])('the count sees what grows: %s', (source, characters) => {
  expect(workOf(source).text).toBe(characters)
  expect(compile(source).ok).toBe(true)
})
