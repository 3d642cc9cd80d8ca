/** Responses signed by programs and libraries of others: every algorithm and canonicalisation that is allowed, on the response, the assertion and both. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aFixtureKey, type FixtureKey } from './fixtures/a-certificate.js'
import { fixtureParties, responseXml } from './fixtures/a-saml-response.js'
import { insertAfter } from './fixtures/edit-xml.js'
import { bareCertificate } from './fixtures/vendor-metadata.js'
import { type SignatureReaderName, signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

const keys = { rsa: aFixtureKey(), ecdsa: aFixtureKey({ type: 'ec' }) }
const { acsUrl, spEntityId, requestId, idpEntityId } = fixtureParties
const load = createRequire(import.meta.url)

function told(response: string, signatureReader: SignatureReaderName, now: Instant = fixtureParties.now): string {
  const certificates = [keys.rsa.certificate, keys.ecdsa.certificate]
  const parsed = parseConnection('saml', { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates, signatureReader })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const expected = {
    connectionId: 'c1' as ConnectionId,
    connection: parsed.value as SamlConnection,
    acsUrl,
    expectedRequestId: requestId,
    now,
  }
  const verdict = verifySamlResponse(Buffer.from(response).toString('base64'), expected)
  return verdict.ok ? (verdict.value.nameId?.value ?? 'nobody') : verdict.error.reason
}

const pemOf = ({ privateKey }: FixtureKey): string => privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

describe('xmlsec1', () => {
  const withXmlsec = hasTool('xmlsec1') ? test : test.skip // npm brings no xmlsec1; .ci/run installs and requires it
  const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#'
  const inclusive = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315'
  const digests = {
    sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
    sha384: 'http://www.w3.org/2001/04/xmldsig-more#sha384',
    sha512: 'http://www.w3.org/2001/04/xmlenc#sha512',
  }
  type Hash = keyof typeof digests
  type Plan = { readonly kind: 'rsa' | 'ecdsa'; readonly hash: Hash; readonly form: string }
  const hashes = Object.keys(digests) as Hash[]
  const plans: readonly Plan[] = (['rsa', 'ecdsa'] as const).flatMap((kind) =>
    hashes.flatMap((hash) => [exclusive, inclusive].map((form) => ({ kind, hash, form }))),
  )

  const template = (id: string, { kind, hash, form }: Plan) =>
    `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="${form}"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#${kind}-${hash}"/><ds:Reference URI="#${id}"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="${form}"/></ds:Transforms><ds:DigestMethod Algorithm="${digests[hash]}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`

  function sign(xml: string, place: 'response' | 'assertion', plan: Plan): string {
    const folder = mkdtempSync(join(tmpdir(), 'xmlsec1-'))
    const path = (name: string) => join(folder, name)
    const [id, nth, where] = place === 'response' ? ['_response1', 0, '/*'] : ['_assertion1', 1, "/*/*[local-name()='Assertion']"]
    writeFileSync(path('in.xml'), insertAfter(xml, 'Issuer', template(id as string, plan), nth as number))
    writeFileSync(path('key.pem'), pemOf(keys[plan.kind]))
    const ids = ['urn:oasis:names:tc:SAML:2.0:protocol:Response', 'urn:oasis:names:tc:SAML:2.0:assertion:Assertion'].flatMap((element) => [
      '--id-attr:ID',
      element,
    ])
    const ran = spawnSync(
      'xmlsec1',
      [
        '--sign',
        '--privkey-pem',
        path('key.pem'),
        ...ids,
        '--node-xpath',
        `${where}/*[local-name()='Signature']`,
        '--output',
        path('out.xml'),
        path('in.xml'),
      ],
      { encoding: 'utf8' },
    )
    if (ran.status !== 0) throw new Error(ran.stderr)
    const signed = readFileSync(path('out.xml'), 'utf8')
    rmSync(folder, { recursive: true })
    return signed
  }

  withXmlsec.each(plans)('$kind with $hash, canonicalised by $form', (plan) => {
    const [byResponse, byAssertion] = [sign(responseXml(), 'response', plan), sign(responseXml(), 'assertion', plan)]
    const messages = { byResponse, byAssertion, both: sign(byAssertion, 'response', plan) }
    for (const reader of signatureReaderNames)
      for (const [place, message] of Object.entries(messages)) {
        expect([place, told(message, reader)]).toEqual([place, 'ada@acme.example'])
        expect([place, told(message.replace('ada@', 'eve@'), reader)]).toEqual([place, 'saml_signature_invalid'])
      }
  })
})

type Saml20 = { createSAMLResponse(parts: Record<string, unknown>): Promise<string> }
test.each(signatureReaderNames)('@boxyhq/saml20, read by %s', async (reader) => {
  const { default: library } = load('@boxyhq/saml20') as { default: Saml20 }
  const response = await library.createSAMLResponse({
    ...{ audience: spEntityId, issuer: idpEntityId, acsUrl, requestId, ttlInMinutes: 5, flattenArray: true },
    claims: { email: 'ada@acme.example', raw: { groups: ['staff'] } },
    ...{ privateKey: pemOf(keys.rsa), publicKey: keys.rsa.certificate },
  })
  const now = instant(Date.now())
  expect(response.match(/<(\w+:)?Signature /g)).toHaveLength(2)
  expect(told(response, reader, now)).toBe('ada@acme.example')
  expect(told(response.replace('>ada@', '>eve@'), reader, now)).toBe('saml_signature_invalid')
})

type SamlifySigning = {
  readonly rawSamlMessage: string
  readonly isMessageSigned: boolean
  readonly isBase64Output: false
  readonly signingCert: string
  readonly privateKey: string
  readonly signatureAlgorithm: string
  readonly signatureConfig: object
  readonly referenceTagXPath?: string
}
type Samlify = { readonly SamlLib: { constructSAMLSignature(options: SamlifySigning): string } }
describe.each([256, 512])('samlify with RSA-SHA%s', (bits) => {
  const { SamlLib } = load('samlify') as Samlify
  const sign = (rawSamlMessage: string, place: 'Response' | 'Assertion') => {
    const element = `//*[local-name(.)='${place}']`
    const location = { reference: `${element}/*[local-name(.)='Issuer']`, action: 'after' }
    return SamlLib.constructSAMLSignature({
      ...{ rawSamlMessage, isBase64Output: false, signingCert: bareCertificate(keys.rsa.certificate), privateKey: pemOf(keys.rsa) },
      ...{ signatureAlgorithm: `http://www.w3.org/2001/04/xmldsig-more#rsa-sha${bits}`, signatureConfig: { prefix: 'ds', location } },
      ...(place === 'Response' ? { isMessageSigned: true } : { isMessageSigned: false, referenceTagXPath: element }),
    })
  }
  test.each([
    { what: 'the response', places: ['Response'] },
    { what: 'the assertion', places: ['Assertion'] },
    { what: 'both', places: ['Assertion', 'Response'] },
  ] as const)('on $what', ({ places }) => {
    const message = places.reduce<string>(sign, responseXml())
    for (const reader of signatureReaderNames) {
      expect(told(message, reader)).toBe('ada@acme.example')
      expect(told(message.replace('>ada@', '>eve@'), reader)).toBe('saml_signature_invalid')
    }
  })
})
