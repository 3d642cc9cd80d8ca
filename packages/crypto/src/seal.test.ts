import { expect, test } from 'vitest'
import { createSealer } from './seal.js'

const first = { version: 1, key: Buffer.alloc(32, 1) }
const second = { version: 2, key: Buffer.alloc(32, 2) }
const context = { installation: 'i', tenant: 't', table: 'signing_keys', column: 'sealed_private_key', row: 'r' }
const plain = Buffer.from('a private key')

test('what was sealed opens in its place, also after the master key was rotated', () => {
  const sealed = createSealer([first]).seal(plain, context)
  const opened = createSealer([first, second]).open(sealed, context)
  expect(opened).toEqual({ ok: true, value: plain })
})

test.each(Object.keys(context) as (keyof typeof context)[])('a sealed value moved to another %s opens nowhere', (member) => {
  const sealer = createSealer([first])
  expect(sealer.open(sealer.seal(plain, context), { ...context, [member]: 'other' })).toEqual({ ok: false, error: 'unsealable' })
})

test('every changed octet and every shorter value is refused, never thrown', () => {
  const sealer = createSealer([first])
  const sealed = sealer.seal(plain, context)
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Buffer.from(sealed)
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
    expect(sealer.open(changed, context).ok).toBe(false)
    expect(sealer.open(sealed.subarray(0, index), context).ok).toBe(false)
  }
})

test('keys derived for different purposes or versions differ', () => {
  const sealer = createSealer([first, second])
  expect(sealer.currentVersion).toBe(2)
  expect(sealer.derive('a', 1)).not.toEqual(sealer.derive('b', 1))
  expect(sealer.derive('a', 1)).not.toEqual(sealer.derive('a', 2))
  expect(() => sealer.derive('a', 3)).toThrow('version 3')
})
test('a named version seals, so that a new key can reach every process before any seals under it', () => {
  const careful = createSealer([first, second], undefined, 1)
  const opened = createSealer([first]).open(careful.seal(plain, context), context)
  expect(opened.ok && opened.value).toEqual(plain)
  expect(() => createSealer([first], undefined, 2)).toThrow('current version')
})
