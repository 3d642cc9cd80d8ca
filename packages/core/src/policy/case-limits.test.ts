/** A situation and cases beyond their limits: each limit is told by its name. */
import { describe, expect, test } from 'vitest'
import { parsePolicyCases, policySituation } from './cases.js'
import { policyLimits } from './error.js'

describe('what is beyond a limit is told by its name', () => {
  const saidOf = (situation: object): string => {
    const parsed = policySituation.safeParse(situation)
    return parsed.success ? '' : parsed.error.issues.map(({ message }) => message).join('; ')
  }
  const long = 'x'.repeat(policyLimits.claimCharacters + 1)
  const list = (length: number, last = 'x'): string[] => [...Array.from({ length: length - 1 }, () => 'x'), last]
  const { groups, claimListItems } = policyLimits
  test.each([
    ['groups', { groups: list(groups + 1) }, 'more than the limit groups: 1000'],
    ['the name of a group', { groups: ['x', long] }, 'more than the limit claimCharacters: 1024'],
    ['the name of the last of as many groups as may be', { groups: list(groups, long) }, 'more than the limit claimCharacters: 1024'],
    ['a text in the place of groups', { groups: long }, 'more than the limit claimCharacters: 1024'],
    ['a claim', { claims: { a: long } }, 'more than the limit claimCharacters: 1024'],
    ['a list of a claim', { claims: { a: list(claimListItems + 1) } }, 'more than the limit claimListItems: 100'],
    ['an item of a claim', { claims: { a: list(claimListItems, long) } }, 'more than the limit claimCharacters: 1024'],
  ])('%s', (_, situation, says) => {
    expect(saidOf(situation)).toBe(says)
  })

  test.each([
    { groups: 5 },
    { groups: 'none' },
    { groups: [5] },
    { claims: { a: {} } },
    { claims: { a: [5] } },
    { claims: { a: [], b: null } },
  ])('and what is only of another shape is not: %j', (situation) => {
    expect(saidOf(situation)).toMatch(/^Invalid/)
  })

  test('of many mistakes in cases the first fifty are told', () => {
    const cases = Array.from({ length: 60 }, () => ({ name: 'c', expect: {} }))
    const parsed = parsePolicyCases(JSON.stringify({ cases }))
    expect(parsed.ok ? 0 : parsed.error.length).toBe(50)
  })

  test('what is nested too deep to be read has no place', () => {
    expect(parsePolicyCases(`cases: ${'['.repeat(20_000)}`)).toMatchObject({
      ok: false,
      error: [{ reason: 'cases_shape', line: undefined }],
    })
  })
})
