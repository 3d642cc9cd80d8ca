/** What is of this installation, so that nobody of it is trusted as if he were somebody else. */
import { readEnv } from '@drawbridge/runtime/env'
import { expect, test } from 'vitest'
import { isOwnAddress } from './own-address.js'

const settings = readEnv({
  DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
  DRAWBRIDGE_MTLS_URL: 'https://mtls.login.example.com',
  DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'client-cert',
  DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
  DRAWBRIDGE_PROXY_SECRETS: 'of-the-proxy-0123456789abcdef0123',
})

test.each([
  ['https://login.example.com/t/acme', true],
  ['HTTPS://LOGIN.EXAMPLE.COM:443/t/acme/jwks', true],
  ['https://mtls.login.example.com/t/acme/jwks', true],
  ['no address', true],
  ['https://login.example.com.evil.example/t/acme', false],
  ['https://login.example.com:8443/t/acme', false],
])('%s is ours: %s', (url, isOwn) => {
  expect(isOwnAddress({ settings }, url)).toBe(isOwn)
})
