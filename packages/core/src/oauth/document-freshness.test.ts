import { expect, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { documentExpiresAt, type ResponseHeaders } from './document-freshness.js'

const now = instant(Date.UTC(2026, 10, 29, 12, 0, 0))
const { unsaid, least, most } = { unsaid: 3600, least: 60, most: 86_400 }
const noon = 'Sun, 29 Nov 2026 12:00:00 GMT'
const atTen = 'Sun, 29 Nov 2026 12:10:00 GMT'

test.each<[string, ResponseHeaders, number]>([
  ['nothing', {}, unsaid],
  ['nothing, and is half an hour old', { age: '1800' }, 1800],
  ['max-age', { 'cache-control': 'max-age=600' }, 600],
  ['max-age in quotes and capitals', { 'cache-control': 'Public , MAX-AGE="600"' }, 600],
  ['s-maxage, which is for caches that are shared', { 'cache-control': 'max-age=60, s-maxage=900' }, 900],
  ['max-age, and is five minutes old', { 'cache-control': 'max-age=600', age: '300' }, 300],
  ['max-age, and is five minutes old by its date', { 'cache-control': 'max-age=600', date: 'Sun, 29 Nov 2026 11:55:00 GMT' }, 300],
  [
    'max-age, and two ages, of which the greater counts',
    { 'cache-control': 'max-age=600', age: '400', date: 'Sun, 29 Nov 2026 11:55:00 GMT' },
    200,
  ],
  ['max-age by a clock that is ahead of ours', { 'cache-control': 'max-age=600', date: atTen }, 600],
  ['more than a day', { 'cache-control': 'max-age=99999999999' }, most],
  ['less than a minute', { 'cache-control': 'max-age=0' }, least],
  ['no-store', { 'cache-control': 'no-store, max-age=600' }, least],
  ['no-cache', { 'cache-control': 'no-cache' }, least],
  ['no-cache of one field, of which we keep no fields apart', { 'cache-control': 'no-cache="set-cookie", max-age=600' }, least],
  ['private', { 'cache-control': 'private, max-age=600' }, least],
  ['two ages that contradict each other', { 'cache-control': 'max-age=600, max-age=900' }, least],
  ['the same age twice', { 'cache-control': 'max-age=600, max-age=600' }, 600],
  ['an age that cannot be read', { 'cache-control': 'max-age=soon' }, least],
  ['a negative age', { 'cache-control': 'max-age=-600' }, least],
  ['a word that only begins like one', { 'cache-control': 'max-age-of-what=600, no-storeroom' }, unsaid],
  ['Expires', { expires: atTen }, 600],
  ['Expires, counted from its own Date', { expires: atTen, date: atTen }, least],
  ['Expires by a clock that is ten minutes ahead', { expires: 'Sun, 29 Nov 2026 12:30:00 GMT', date: atTen }, 1200],
  ['Expires, and is five minutes old', { expires: atTen, date: noon, age: '300' }, 300],
  ['Expires in the form of RFC 850', { expires: 'Sunday, 29-Nov-26 12:10:00 GMT' }, 600],
  ['Expires in the form of asctime', { expires: 'Sun Nov 29 12:10:00 2026' }, 600],
  ['Expires long ago', { expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }, least],
  ['Expires: 0', { expires: '0' }, least],
  ['Expires: -1', { expires: '-1' }, least],
  ['Expires in another zone', { expires: 'Sun, 29 Nov 2026 13:10:00 +0100' }, least],
  ['an empty Expires', { expires: '' }, least],
  ['max-age beside Expires: 0, which it overrides', { 'cache-control': 'max-age=600', expires: '0' }, 600],
  ['public beside Expires', { 'cache-control': 'public', expires: atTen }, 600],
])('what says %s is used for its time and not asked for before', (_what, headers, seconds) => {
  expect(documentExpiresAt(headers, now)).toBe(addSeconds(now, seconds))
})
