import { expect, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { type AddressHolder, groupsOfAddressLimits, judgeGroupsOfAddress, unknownGroups } from './groups-of-address.js'

const now = instant(1_800_000_000_000)
const ada: AddressHolder = { isActive: true, groups: ['contractors'], saidAt: addSeconds(now, -60) }
const limit = groupsOfAddressLimits.ageSeconds

test.each([
  { when: 'one person has it and is known', holders: [ada], known: true },
  { when: 'she is known to be in none', holders: [{ ...ada, groups: [] }], known: true },
  { when: 'nobody has it', holders: [], known: false },
  { when: 'two have it', holders: [ada, ada], known: false },
  { when: 'another has it who is switched off', holders: [ada, { ...ada, isActive: false }], known: false },
  { when: 'she is switched off', holders: [{ ...ada, isActive: false }], known: false },
  { when: 'her last login did not say', holders: [{ ...ada, groups: undefined }], known: false },
  { when: 'she never signed in', holders: [{ isActive: true, groups: undefined, saidAt: undefined }], known: false },
  { when: 'it was said a moment before the limit', holders: [{ ...ada, saidAt: addSeconds(now, 1 - limit) }], known: true },
  { when: 'it was said at the limit', holders: [{ ...ada, saidAt: addSeconds(now, -limit) }], known: false },
])('the groups of an address are known=$known when $when', ({ holders, known }) => {
  expect(judgeGroupsOfAddress(holders, now)).toEqual(known ? { state: 'known', value: holders[0]?.groups } : unknownGroups)
})
