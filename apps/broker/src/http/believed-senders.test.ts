/** Addresses from which signals of a connection were believed: few of each connection, so that none crowds out another’s. */
import { addSeconds, instant } from '@drawbridge/core/instant'
import { expect, it } from 'vitest'
import type { BrokerDeps } from '../deps.js'
import { believedForSeconds, isBelievedLately, mostAddressesOfConnection, noteBelieved } from './believed-senders.js'

let now = instant(1_800_000_000_000)
const aProcess = () => ({ database: {}, clock: { now: () => now } }) as unknown as BrokerDeps
const from = (address: string, connection = 'one', tenant = 'acme') => ({ address, params: { tenant, connection } })

it('a mark is of one address at one connection of one tenant, in its process, and a /64 is one address', () => {
  const deps = aProcess()
  noteBelieved(deps, from('2001:db8::1'))
  const asked = [from('2001:db8::2'), from('2001:db8:0:1::1'), from('2001:db8::1', 'two'), from('2001:db8::1', 'one', 'globex')]
  expect(asked.map((sender) => isBelievedLately(deps, sender))).toEqual([true, false, false, false])
  expect(isBelievedLately(aProcess(), from('2001:db8::1'))).toBe(false)
  now = addSeconds(now, believedForSeconds)
  expect(isBelievedLately(deps, from('2001:db8::1'))).toBe(false)
})

it('of one connection the latest addresses are held, and one that is believed again stays', () => {
  const deps = aProcess()
  noteBelieved(deps, from('203.0.113.1', 'other'))
  noteBelieved(deps, from('203.0.113.1'))
  noteBelieved(deps, from('203.0.113.2'))
  for (let nth = 0; nth < mostAddressesOfConnection - 1; nth += 1) {
    noteBelieved(deps, from('203.0.113.1'))
    noteBelieved(deps, from(`198.51.100.${nth}`))
  }
  const asked = [from('203.0.113.1'), from('203.0.113.2'), from('198.51.100.0'), from('203.0.113.1', 'other')]
  expect(asked.map((sender) => isBelievedLately(deps, sender))).toEqual([true, false, true, true])
})
