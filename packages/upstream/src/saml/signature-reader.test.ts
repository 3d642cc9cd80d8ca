// Two readers, one verdict: whatever the fixtures hold, who reads it makes no difference to who somebody is.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { fixtureParties } from './fixtures/a-saml-response.js'
import { readerFor } from './signature-reader.js'
import { type SignatureReaderName, signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), 'fixtures')
const certificates = ['idp-rsa.pem', 'idp-ec.pem'].map((name) => readFileSync(join(folder, name), 'utf8'))
const files = ['good', 'attacks'].flatMap((kind) => readdirSync(join(folder, kind)).map((name) => join(kind, name)))
const { idpEntityId, acsUrl, requestId, now } = fixtureParties

function verdictOf(signatureReader: SignatureReaderName, file: string): unknown {
  const parsed = parseConnection('saml', { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates, signatureReader })
  if (!parsed.ok) throw new Error(parsed.error.reason)
  const connection = parsed.value as SamlConnection
  const message = readFileSync(join(folder, file)).toString('base64')
  const verdict = verifySamlResponse(message, { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId: requestId, now })
  return verdict.ok ? verdict : verdict.error.reason
}

test.each(files.filter((name) => name.endsWith('.xml')))('%s has one verdict under every reader, to the last attribute', (file) => {
  const [first, ...others] = signatureReaderNames.map((reader) => verdictOf(reader, file))
  for (const other of others) expect(other).toEqual(first)
})

test.each(signatureReaderNames)(
  'half a character is no text to %s: in the octets that are digested each half would be the same',
  (name) => {
    const good = readFileSync(join(folder, 'good', 'response-signed.xml'), 'utf8')
    const read = readerFor(name, undefined, now)
    expect(read(good).ok).toBe(true)
    for (const half of ['\uD800', '\uDFFF'])
      expect(read(good.replace('ada@', `${half}da@`))).toMatchObject({ ok: false, error: { reason: 'saml_xml_malformed' } })
  },
)

test('a connection that names no reader of ours is refused', () => {
  const given = { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates, signatureReader: 'lenient' }
  expect(parseConnection('saml', given)).toMatchObject({ ok: false, error: { detail: { member: 'signatureReader' } } })
})
