/** The judge of a long absence: what contradicts, and what only looks like it. */
import { expect, it } from 'vitest'
import { type Absence, absenceFigures, judgeAbsence } from './absence.js'
import type { Told } from './outside.js'

const absence: Absence = {
  ...{ receiver: 'guard-1', company: 'initech', goneAt: 100, backAt: 5000 },
  waiting: [
    { id: 'a', line: 'siem ada', isTried: true },
    { id: 'b', line: 'siem max', isTried: false },
    { id: 'c', line: 'siem ada', isTried: false },
  ],
}
const logout = (id: string, at: number, company = 'initech'): Told => ({ kind: 'logout', company, id, at, client: 'c', sub: 's' })

it.each<[string, number, readonly Told[]]>([
  ['all of it came, in its order', 0, [logout('a', 5010), logout('b', 5015), logout('c', 5020)]],
  ['of two people the later came first', 0, [logout('b', 5005), logout('a', 5010), logout('c', 5020)]],
  ['the first came once more behind the second', 0, [logout('a', 5010), logout('b', 5011), logout('c', 5020), logout('a', 5030)]],
  ['of one person the later came first', 1, [logout('b', 5005), logout('c', 5010), logout('a', 5020)]],
  ['one never came', 1, [logout('a', 5010), logout('b', 5011)]],
  ['nothing came', 3, []],
  ['told while it was away', 1, [logout('d', 1500), logout('a', 5010), logout('b', 5011), logout('c', 5020)]],
  ['others were told meanwhile', 0, [logout('d', 1500, 'hooli'), logout('a', 5010), logout('b', 5011), logout('c', 5020)]],
])('%s: %i', (_, count, told) => {
  expect(judgeAbsence(absence, told)).toHaveLength(count)
})

it('an absence in which nothing happened proves nothing', () => {
  expect(judgeAbsence({ ...absence, waiting: [] }, [])).toEqual([expect.stringContaining('proves nothing')])
  const untried = [{ id: 'a', line: 'siem ada', isTried: false }]
  expect(judgeAbsence({ ...absence, waiting: untried }, [logout('a', 5010)])).toEqual([expect.stringContaining('proves nothing')])
})

it('its figures are of what had waited alone', () => {
  const told = [logout('a', 5010), logout('b', 5011), logout('c', 5020), logout('c', 5100), logout('d', 5200)]
  expect(absenceFigures(absence, told)).toEqual({ awayMs: 4900, waited: 3, caughtUpMs: 20 })
})
