/** Rounds: who asks at the same moment is answered together, and by nothing that was read before. */
import { expect, it } from 'vitest'
import { createRounds } from './rounds.js'

const gate = () => {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), opened }
}

it('asks together what is asked in one turn, and gives each its own answer', async () => {
  const seen: (readonly number[])[] = []
  const rounds = createRounds<number, number>({ mostOfRound: 100 })
  const double = async (asked: readonly number[]) => {
    seen.push(asked)
    return asked.map((each) => each * 2)
  }
  expect(await Promise.all([1, 2, 3].map((each) => rounds.ask('a', each, double)))).toEqual([2, 4, 6])
  expect(await rounds.ask('a', 4, double)).toBe(8)
  expect(seen).toEqual([[1, 2, 3], [4]])
})

it('who comes while a round is under way is in the next one; another key waits for nobody', async () => {
  const seen: (readonly string[])[] = []
  const [begun, held] = [gate(), gate()]
  const rounds = createRounds<string, string>({ mostOfRound: 100 })
  const run = async (asked: readonly string[]) => {
    seen.push(asked)
    begun.open()
    if (asked.includes('first')) await held.opened
    return asked
  }
  const first = rounds.ask('a', 'first', run)
  await begun.opened
  const later = ['second', 'third'].map((each) => rounds.ask('a', each, run))
  expect(await rounds.ask('b', 'other', run)).toBe('other')
  held.open()
  expect(await Promise.all([first, ...later])).toEqual(['first', 'second', 'third'])
  expect(seen).toEqual([['first'], ['other'], ['second', 'third']])
})

it('a round holds no more than it may', async () => {
  const sizes: number[] = []
  const rounds = createRounds<number, number>({ mostOfRound: 2 })
  const run = async (asked: readonly number[]) => {
    sizes.push(asked.length)
    return asked
  }
  await Promise.all([1, 2, 3, 4, 5].map((each) => rounds.ask('a', each, run)))
  expect(sizes).toEqual([2, 2, 1])
})

it('what one asks fails for nobody else', async () => {
  const rounds = createRounds<string, string>({ mostOfRound: 100 })
  const run = async (asked: readonly string[]) => {
    if (asked.includes('poison')) throw new Error('refused by the database')
    return asked
  }
  const outcomes = await Promise.allSettled(['one', 'poison', 'two'].map((each) => rounds.ask('a', each, run)))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await rounds.ask('a', 'after', run)).toBe('after')
})

it('where all ask alike, a question that fails is asked once and fails for all', async () => {
  const rounds = createRounds<undefined, number>({ mostOfRound: 100, isAskedAlike: true })
  let asked = 0
  const run = async () => {
    asked += 1
    throw new Error('the database is away')
  }
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => rounds.ask('a', undefined, run)))
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(asked).toBe(1)
})
