/** What a program reads of a refusal is text that its parser may hold us to: RFC 6749 §5.2, RFC 6750 §3. */
import { expect, it } from 'vitest'
import { oauthErrors } from './error.js'

/** %x20-21 / %x23-5B / %x5D-7E: it stands in JSON and in a challenge. */
const description = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

it('every error_description in JSON has only characters that RFC 6749 allows in one', () => {
  const answered = Object.entries(oauthErrors).filter(([, { answer }]) => answer === 'json')
  expect(answered.length).toBeGreaterThan(100)
  expect(answered.filter(([, { say }]) => !description.test(say)).map(([reason]) => reason)).toEqual([])
})
