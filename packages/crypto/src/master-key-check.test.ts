import { expect, test } from 'vitest'
import { checkValuesOf, judgeMasterKeys, type RecordedMasterKey } from './master-key-check.js'
import { createSealer } from './seal.js'

const installation = 'the-installation'
const keyOf = (version: number, octet = version) => ({ version, key: Buffer.alloc(32, octet) })
const held = (keys: readonly ReturnType<typeof keyOf>[], current?: number) =>
  checkValuesOf(createSealer(keys, undefined, current), installation)
const recorded = (version: number, over: Partial<RecordedMasterKey> = {}): RecordedMasterKey => ({
  version,
  checkValue: held([keyOf(version)]).checkValues.get(version) as Buffer,
  isUsed: true,
  isRetired: false,
  ...over,
})

test.each([
  { when: 'a new database knows none', known: [], given: held([keyOf(1)]) },
  { when: 'the one key is held', known: [recorded(1)], given: held([keyOf(1)]) },
  { when: 'a new key comes beside a known one', known: [recorded(1)], given: held([keyOf(1), keyOf(2)], 1) },
  {
    when: 'a new key that others have, and nobody uses, is not here yet',
    known: [recorded(1), recorded(2, { isUsed: false })],
    given: held([keyOf(1)]),
  },
  { when: 'a retired key is gone', known: [recorded(1, { isRetired: true }), recorded(2)], given: held([keyOf(2)]) },
  { when: 'a retired key is still given', known: [recorded(1, { isRetired: true }), recorded(2)], given: held([keyOf(1), keyOf(2)]) },
])('keys may serve when $when', ({ known, given }) => {
  expect(judgeMasterKeys(known, given)).toBeUndefined()
})

test.each([
  { when: 'the key of a version is another', known: [recorded(1)], given: held([keyOf(1, 9)]), fault: { fault: 'other_key', version: 1 } },
  {
    when: 'two processes were given different new keys under one version',
    known: [recorded(1), recorded(2, { isUsed: false })],
    given: held([keyOf(1), keyOf(2, 9)], 1),
    fault: { fault: 'other_key', version: 2 },
  },
  { when: 'none is known', known: [recorded(1)], given: held([keyOf(7)]), fault: { fault: 'none_known', versions: [1] } },
  { when: 'a used one is missing', known: [recorded(1), recorded(2)], given: held([keyOf(1)]), fault: { fault: 'missing', version: 2 } },
  {
    when: 'the old one was taken away too early',
    known: [recorded(1), recorded(2)],
    given: held([keyOf(2)]),
    fault: { fault: 'missing', version: 1 },
  },
  {
    when: 'a retired one would seal again',
    known: [recorded(1, { isRetired: true }), recorded(2)],
    given: held([keyOf(1), keyOf(2)], 1),
    fault: { fault: 'retired_is_current', version: 1 },
  },
])('keys are refused when $when', ({ known, given, fault }) => {
  expect(judgeMasterKeys(known, given)).toEqual(fault)
})

test('the same key in another installation has another check value', () => {
  const sealer = createSealer([keyOf(1)])
  expect(checkValuesOf(sealer, 'a').checkValues.get(1)).not.toEqual(checkValuesOf(sealer, 'b').checkValues.get(1))
})
