/** X-Forwarded-For, as strangers write it: what our own proxies did not write is nobody's address. */
import { expect, it } from 'vitest'
import { clientAddress, knownAddress } from './client-address.js'

const proxy = '10.0.0.9'
const own = '198.51.100.7'
const forged = '203.0.113.66'

it.each([
  ['no proxy stands in front, and a stranger writes the header', 0, forged, proxy],
  ['one proxy wrote the only entry', 1, own, own],
  ['one proxy added to what the caller wrote', 1, `${forged}, ${own}`, own],
  ['two proxies added to what the caller wrote', 2, `${forged}, ${own}, 10.0.0.8`, own],
  ['an IPv6 address was written', 1, '2001:db8::7', '2001:db8::7'],
  ['nobody wrote one', 1, undefined, undefined],
  ['it is empty', 1, '', undefined],
  ['there is one entry of two, which the caller wrote', 2, forged, undefined],
  ['there are two entries of three, one of which the caller wrote', 3, `${forged}, ${own}`, undefined],
  ['the caller fills up with nothing', 3, `${forged},, ${own}`, undefined],
  ['the caller fills up with blanks, and one proxy of two is passed by', 2, `${forged}, ,${own}`, undefined],
  ['a proxy hides its caller', 1, `${forged}, unknown`, undefined],
  ['a proxy writes a name', 1, `${forged}, _hidden`, undefined],
  ['a port stands behind it', 1, `${forged}, ${own}:4711`, own],
  ['a port stands behind an IPv6 address', 1, '[2001:db8::7]:4711', '2001:db8::7'],
  ['brackets stand around an IPv6 address', 1, '[2001:db8::7]', '2001:db8::7'],
  ['an IPv4 address stands in brackets', 1, `[${own}]:4711`, undefined],
  ['something else stands behind it', 1, `${own}:4711:1`, undefined],
  ['a name has a port', 1, '_hidden:4711', undefined],
])('when %s, what is known is the word of our own outermost proxy or nothing', (_when, hops, header, known) => {
  const request = { headers: { 'x-forwarded-for': header }, socket: { remoteAddress: proxy } } as never
  expect(knownAddress(request, hops)).toBe(known)
  expect(clientAddress(request, known)).toBe(known ?? proxy)
})
