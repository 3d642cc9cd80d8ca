import { expect, it } from 'vitest'
import { clientCountry } from './client-country.js'

const behindProxy = { trustedProxyHops: 1, countryHeader: 'cf-ipcountry' }
const ask = (value: string | string[] | undefined, settings: Parameters<typeof clientCountry>[1] = behindProxy) =>
  clientCountry({ headers: { 'cf-ipcountry': value } as never }, settings)

it.each([
  { when: 'the proxy says it', value: 'CH', country: 'CH' },
  { when: 'the proxy writes it small', value: ' ch ', country: 'CH' },
  { when: 'the header is absent', value: undefined, country: undefined },
  { when: 'the proxy does not know', value: 'XX', country: undefined },
  { when: 'it is no country', value: 'T1', country: undefined },
  { when: 'it is a name', value: 'Switzerland', country: undefined },
  { when: 'it was sent twice, which Node joins', value: 'CH, US', country: undefined },
  { when: 'it was sent twice, as a list', value: ['CH', 'CH'], country: undefined },
  { when: 'letters only look like those of ISO 3166-1', value: 'ſS', country: undefined },
  { when: 'a line is put behind it', value: 'CH\n', country: 'CH' },
])('is $country when $when', ({ value, country }) => {
  expect(ask(value)).toBe(country)
})

it('is what a stranger wrote, and not read, without a proxy of the operator’s own or without a header that the operator named', () => {
  expect(ask('CH', { ...behindProxy, trustedProxyHops: 0 })).toBeUndefined()
  expect(ask('CH', { ...behindProxy, countryHeader: undefined })).toBeUndefined()
  expect(ask('CH', { ...behindProxy, countryHeader: 'x-country' })).toBeUndefined()
})
