import { expect, it, test } from 'vitest'
import { packMessage, unpackMessage } from './packed-message.js'

const message = Buffer.from('<samlp:Response>é</samlp:Response>').toString('base64')

test.each([
  { what: 'base64', text: message },
  { what: 'base64 in lines', text: `${message.slice(0, 20)}\r\n${message.slice(20)}` },
  { what: 'base64 without its padding', text: message.replace(/=+$/, '') },
  { what: 'base64 that ends in bits of nothing', text: 'QR==' },
  { what: 'the alphabet of addresses', text: '_-__' },
  { what: 'something after the padding', text: 'QQ==QQ==' },
  { what: 'a space that was a plus', text: 'QQ Q' },
  { what: 'no base64 at all', text: '<samlp:Response>é</samlp:Response>' },
  { what: 'nothing', text: '' },
])('$what comes out as it went in', ({ text }) => {
  expect(unpackMessage(packMessage(text))).toBe(text)
})

it('takes a quarter less than base64 does', () => {
  const long = Buffer.alloc(3000, 'a').toString('base64')
  expect(packMessage(long)).toHaveLength(3001)
})

test.each([{ packed: Buffer.from(message) }, { packed: Buffer.alloc(0) }, { packed: Buffer.of(2, 65) }])(
  'what this version did not pack is not read: $packed.length octets',
  ({ packed }) => {
    expect(unpackMessage(packed)).toBeUndefined()
  },
)
