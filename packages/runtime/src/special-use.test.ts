import { expect, test } from 'vitest'
import { isThisMachine } from './special-use.js'

test.each([
  'https://localhost/sso',
  'https://LOCALHOST.:4410',
  'https://idp.localhost',
  'https://127.0.0.1',
  'https://127.1',
  'https://2130706433',
  'https://127.9.9.9',
  'https://0.0.0.0',
  'https://[::1]',
  'https://[::]',
  'https://[::ffff:127.0.0.1]',
  'https://%6cocalhost',
  'https://１２７.0.0.1',
])('%j leads to the machine of whoever follows it', (url) => {
  expect(isThisMachine(new URL(url).hostname)).toBe(true)
})

test.each([
  'https://idp.example',
  'https://localhost.example',
  'https://mylocalhost',
  'https://10.0.0.1',
  'https://128.0.0.1',
  'https://[2001:db8::1]',
])('%j does not', (url) => {
  expect(isThisMachine(new URL(url).hostname)).toBe(false)
})
