import { expect, test } from 'vitest'
import { readEndDate } from './end-date.js'

const hr = 'urn:acme:params:scim:schemas:extension:hr:2.0:User'
const at = (text: string) => Date.parse(text)

test.each([
  ['a moment', '2026-12-31T17:00:00Z', at('2026-12-31T17:00:00Z')],
  ['a moment elsewhere', '2026-12-31T17:00:00+02:00', at('2026-12-31T15:00:00Z')],
  ['a day, which is her last', '2026-12-31', at('2027-01-01T00:00:00Z')],
  ['nothing', undefined, 'none'],
  ['an empty text', '', 'none'],
  ['a day that there is not', '2026-13-01', 'unreadable'],
  ['a moment nobody knows where', '2026-12-31T17:00:00', 'unreadable'],
  ['the way of one country', '31.12.2026', 'unreadable'],
  ['a number', 1_798_000_000, 'unreadable'],
  ['an object', { value: '2026-12-31' }, 'unreadable'],
])('%s', (_says, value, end) => {
  const document = value === undefined ? {} : { [hr.toUpperCase()]: { EndDate: value } }
  expect(readEndDate(document, `${hr}:endDate`)).toBe(end)
  expect(readEndDate(value === undefined ? {} : { endDate: value }, 'endDate')).toBe(end)
})
