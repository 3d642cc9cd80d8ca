/** Who tries when, without a database: a try stands for a statement on a connection. */
import { expect, it } from 'vitest'
import { createLockWaits, lockMemoryMs } from './lock-waits.js'
import { busyBy } from './turns.js'

/** What is due in this round of the loop has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

function aLine(places: number) {
  const clock = { now: 0 }
  return { wait: createLockWaits(places, () => clock.now), clock }
}

/** Something that somebody holds until it is let go. Each try ends, as that of a database does, in another round of the loop. */
function held(isHeld = true) {
  const state = { isHeld, underWay: 0, most: 0, tries: 0 }
  const attempt = async (isWanted: () => boolean): Promise<object | undefined> => {
    await settled()
    if (!isWanted()) return undefined
    state.tries += 1
    state.underWay += 1
    state.most = Math.max(state.most, state.underWay)
    await settled()
    state.underWay -= 1
    return state.isHeld ? undefined : {}
  }
  return { state, attempt }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settled()
}

it('once one waits no other of its kind takes a connection, and when none has met the lock for a while they are soon many', async () => {
  const { wait, clock } = aLine(2)
  const { state, attempt } = held()
  const first = wait('acme rotate', attempt)
  await until(() => state.tries > 1)
  state.most = 0
  const others = Array.from({ length: 50 }, () => wait('acme rotate', attempt))
  for (let rounds = 0; rounds < 20; rounds += 1) await settled()
  expect(state.most).toBe(1)
  state.isHeld = false
  clock.now += lockMemoryMs
  expect(await Promise.all([first, ...others])).toHaveLength(51)
  expect(state.most).toBeGreaterThan(8)
})

it('who has no connection yet when another of its kind meets the lock does not try there', async () => {
  const { wait } = aLine(2)
  const { state, attempt } = held()
  let connect = () => {}
  const hasConnection = new Promise<void>((resolve) => {
    connect = resolve
  })
  const wanted: boolean[] = []
  const late = wait('acme rotate', async (isWanted) => {
    await hasConnection
    wanted.push(isWanted())
    return wanted.at(-1) ? {} : undefined
  })
  const first = wait('acme rotate', attempt)
  await until(() => state.tries > 1)
  connect()
  await until(() => wanted.length > 0)
  expect(wanted[0]).toBe(false)
  state.isHeld = false
  expect(await Promise.all([first, late])).toHaveLength(2)
})

it('what waits for long leaves its place after each try, so others have theirs', async () => {
  const { wait } = aLine(1)
  const [acme, globex] = [held(), held()]
  const one = wait('acme rotate', acme.attempt)
  const other = wait('globex rotate', globex.attempt)
  await until(() => acme.state.tries > 3 && globex.state.tries > 3)
  expect(Math.abs(acme.state.tries - globex.state.tries)).toBeLessThanOrEqual(1)
  globex.state.isHeld = false
  await other
  acme.state.isHeld = false
  await one
})

it('while some of a kind meet the lock those of it who do not let few go, however many they are', async () => {
  const places = 2
  const { wait } = aLine(places)
  const [blocked, free] = [held(), held(false)]
  const stuck = [wait('acme rotate', blocked.attempt)]
  await until(() => blocked.state.tries > 0)
  blocked.state.most = 0
  const [mixed, gone]: [Promise<object>[], { many: number }] = [[], { many: 0 }]
  for (let nth = 0; nth < 80; nth += 1) {
    if (nth % 5 === 0) stuck.push(wait('acme rotate', blocked.attempt))
    else mixed.push(wait('acme rotate', free.attempt).finally(() => (gone.many += 1)))
  }
  await until(() => gone.many === mixed.length)
  // One in a place of the line, and those who were let go.
  expect(blocked.state.most).toBeLessThanOrEqual(1 + places)
  expect(free.state.most).toBeLessThanOrEqual(1 + places)
  blocked.state.isHeld = false
  expect(await Promise.all(stuck)).toHaveLength(17)
})

it('a lock that was met a moment ago is taken to be held: nobody tries where everybody does', async () => {
  const { wait, clock } = aLine(1)
  const { state, attempt } = held()
  const first = wait('acme rotate', attempt)
  await until(() => state.tries > 1)
  clock.now += 10_000
  expect(await first.catch(busyBy)).toBe('tenant_busy')
  const again = wait('acme rotate', attempt)
  await until(() => state.tries > 3)
  state.isHeld = false
  await again
  state.most = 0
  await Promise.all(Array.from({ length: 3 }, () => wait('acme rotate', attempt)))
  expect(state.most).toBe(2)
  clock.now += lockMemoryMs
  await Promise.all(Array.from({ length: 3 }, () => wait('acme rotate', attempt)))
  expect(state.most).toBe(3)
})

it('whoever has no place in time hears that her tenant is busy, whoever had them', async () => {
  const { wait } = aLine(1)
  let leave = (_done: object) => {}
  let tries = 0
  const long = wait('acme rotate', (isWanted) => {
    tries += isWanted() ? 1 : 0
    return tries === 1 ? Promise.resolve(undefined) : new Promise<object>((resolve) => (leave = resolve))
  })
  await until(() => tries > 1)
  const other = held()
  expect(await wait('globex rotate', other.attempt).catch(busyBy)).toBe('tenant_busy')
  leave({})
  await long
}, 20_000)
