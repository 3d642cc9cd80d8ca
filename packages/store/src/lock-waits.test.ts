/** Who tries when, without a database: a try stands for a statement on a connection. */
import { expect, it } from 'vitest'
import { yieldingToLocks } from './lock-waits.js'
import { createTurns } from './turns.js'

const turnsOf = (places: number) => createTurns({ places, share: 1, mostWaiting: 100, waitMs: 60_000, busy: 'tenant_busy' })
/** What is due in this round of the loop has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Something that somebody holds until it is let go. Each try ends, as that of a database does, in another round of the loop. */
function held() {
  const state = { isHeld: true, underWay: 0, most: 0, tries: 0 }
  const attempt = async (isWanted: () => boolean): Promise<object | undefined> => {
    state.underWay += 1
    state.most = Math.max(state.most, state.underWay)
    await settled()
    const isAsked = isWanted()
    if (isAsked) state.tries += 1
    await settled()
    state.underWay -= 1
    return isAsked && !state.isHeld ? {} : undefined
  }
  return { state, attempt }
}

it('once one waits no other of its kind takes a connection, and when it is let go they are soon many', async () => {
  const waits = turnsOf(2)
  const { state, attempt } = held()
  const first = yieldingToLocks(waits, 'acme rotate', attempt)
  while (state.tries < 2) await settled()
  state.most = 0
  const others = Array.from({ length: 50 }, () => yieldingToLocks(waits, 'acme rotate', attempt))
  for (let rounds = 0; rounds < 20; rounds += 1) await settled()
  expect(state.most).toBe(1)
  state.isHeld = false
  expect(await Promise.all([first, ...others])).toHaveLength(51)
  expect(state.most).toBeGreaterThan(8)
})

it('who has no connection yet when another of its kind meets the lock does not try there', async () => {
  const waits = turnsOf(2)
  const { state, attempt } = held()
  let connect = () => {}
  const hasConnection = new Promise<void>((resolve) => {
    connect = resolve
  })
  const wanted: boolean[] = []
  const late = yieldingToLocks(waits, 'acme rotate', async (isWanted) => {
    await hasConnection
    wanted.push(isWanted())
    return isWanted() ? {} : undefined
  })
  const first = yieldingToLocks(waits, 'acme rotate', attempt)
  while (state.tries < 2) await settled()
  connect()
  while (wanted.length === 0) await settled()
  expect(wanted[0]).toBe(false)
  state.isHeld = false
  expect(await Promise.all([first, late])).toHaveLength(2)
})

it('what waits for long leaves its place after each try, so others have theirs', async () => {
  const waits = turnsOf(1)
  const [acme, globex] = [held(), held()]
  const one = yieldingToLocks(waits, 'acme rotate', acme.attempt)
  const other = yieldingToLocks(waits, 'globex rotate', globex.attempt)
  while (acme.state.tries < 4 || globex.state.tries < 4) await settled()
  expect(Math.abs(acme.state.tries - globex.state.tries)).toBeLessThanOrEqual(1)
  globex.state.isHeld = false
  await other
  acme.state.isHeld = false
  await one
})

it('the few who get through while most meet the lock do not let all of them try', async () => {
  const waits = turnsOf(2)
  const blocked = held()
  const free = held()
  free.state.isHeld = false
  const stuck = Array.from({ length: 40 }, () => yieldingToLocks(waits, 'acme rotate', blocked.attempt))
  while (!waits.hasAny('acme rotate')) await settled()
  while (blocked.state.underWay > 1) await settled()
  blocked.state.most = 0
  for (let nth = 0; nth < 20; nth += 1) await yieldingToLocks(waits, 'acme rotate', free.attempt)
  expect(blocked.state.most).toBeLessThanOrEqual(3)
  blocked.state.isHeld = false
  expect(await Promise.all(stuck)).toHaveLength(40)
})
