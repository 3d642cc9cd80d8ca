import { describe, expect, it, test } from 'vitest'
import { EnvError, readCommandLineEnv, readEnv, settingEntries } from './env.js'

const mistakesOf = (source: Record<string, string>): readonly string[] => {
  try {
    readEnv(source)
    return []
  } catch (error) {
    return (error as EnvError).mistakes
  }
}
const key = `1:${Buffer.alloc(32, 1).toString('base64')}`
const kmsKey = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const wrapped = Buffer.alloc(184, 1).toString('base64')
const production = {
  NODE_ENV: 'production',
  DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
  DATABASE_URL: 'postgresql://u:p@db/x',
  DRAWBRIDGE_MASTER_KEYS: key,
}

const certificates = {
  DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'Client-Cert',
  DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
  DRAWBRIDGE_PROXY_SECRETS: `${'x'.repeat(32)}, ${'y'.repeat(40)}`,
}
test('a proxy may show either of two secrets while one is replaced', () => {
  const { clientCertificateHeader, proxySecrets } = readEnv({ ...certificates, DRAWBRIDGE_MTLS_URL: 'https://mtls.example.com' })
  expect(clientCertificateHeader).toBe('client-cert')
  expect(proxySecrets.map((secret) => secret.reveal().length)).toEqual([32, 40])
})

test('an empty environment is a loopback start with the embedded database', () => {
  expect(readEnv({})).toMatchObject({
    production: false,
    lab: false,
    publicUrl: 'http://localhost:4400',
    host: '127.0.0.1',
    workerHost: '127.0.0.1',
    databaseUrl: undefined,
    masterKeys: [],
  })
})
test('a production environment is accepted, and its secrets print as [secret]', () => {
  expect(JSON.stringify(readEnv(production))).not.toContain('u:p@')
})
test('all mistakes are reported at once, by name', () => {
  const mistakes = mistakesOf({
    DRAWBRIDGE_PORT: 'x',
    DRAWBRIDGE_LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://x',
    DRAWBRIDGE_MASTER_KEYS: '1:short',
  })
  expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual([
    'DRAWBRIDGE_LOG_LEVEL',
    'DRAWBRIDGE_PORT',
    'DATABASE_URL',
    'DRAWBRIDGE_MASTER_KEYS',
  ])
})
test('impossible combinations are told beside what is wrong by itself, but not about it', () => {
  const mistakes = mistakesOf({ NODE_ENV: 'production', DRAWBRIDGE_PORT: 'x', DRAWBRIDGE_PUBLIC_URL: 'nowhere' })
  expect(mistakes.map((mistake) => mistake.split(' ')[0])).toEqual(['DRAWBRIDGE_PUBLIC_URL', 'DRAWBRIDGE_PORT', 'DATABASE_URL'])
})
test.each([
  { when: 'lab in production', source: { ...production, DRAWBRIDGE_LAB: 'true' } },
  { when: 'lab on a public address', source: { DRAWBRIDGE_LAB: 'true', DRAWBRIDGE_HOST: '0.0.0.0' } },
  { when: 'lab with a worker on a public address', source: { DRAWBRIDGE_LAB: 'true', DRAWBRIDGE_WORKER_HOST: '0.0.0.0' } },
  { when: 'plain http beyond loopback', source: { DRAWBRIDGE_PUBLIC_URL: 'http://login.example.com' } },
  { when: 'a path in the public URL', source: { DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com/x' } },
  { when: 'a database without master keys', source: { DATABASE_URL: 'postgresql://u:p@db/x' } },
  { when: 'a current master key that is not there', source: { ...production, DRAWBRIDGE_CURRENT_MASTER_KEY: '2' } },
  { when: 'a wrapped master key without the KMS key', source: { ...production, DRAWBRIDGE_WRAPPED_MASTER_KEYS: `2:${wrapped}` } },
  {
    when: 'a version that is wrapped and plain',
    source: { ...production, DRAWBRIDGE_WRAPPED_MASTER_KEYS: `1:${wrapped}`, DRAWBRIDGE_KMS_KEY: kmsKey },
  },
  {
    when: 'a wrapped version twice',
    source: { DRAWBRIDGE_WRAPPED_MASTER_KEYS: `1:${wrapped},1:${wrapped}`, DRAWBRIDGE_KMS_KEY: kmsKey },
  },
  {
    when: 'a ninth wrapped key',
    source: {
      DRAWBRIDGE_KMS_KEY: kmsKey,
      DRAWBRIDGE_WRAPPED_MASTER_KEYS: Array.from({ length: 9 }, (_, at) => `${at + 1}:${wrapped}`).join(','),
    },
  },
  { when: 'a wrapped key that is none', source: { DRAWBRIDGE_WRAPPED_MASTER_KEYS: '1:short', DRAWBRIDGE_KMS_KEY: kmsKey } },
  { when: 'an alias of a KMS key', source: { DRAWBRIDGE_KMS_KEY: 'arn:aws:kms:eu-central-1:111122223333:alias/mine' } },
  { when: 'a KMS key of no region', source: { DRAWBRIDGE_KMS_KEY: '1234abcd-12ab-34cd-56ef-1234567890ab' } },
  { when: 'evidence that ends before its receipts', source: { DRAWBRIDGE_RECEIPT_DAYS: '100', DRAWBRIDGE_EVIDENCE_DAYS: '99' } },
  { when: 'receipts that end while somebody looks for them', source: { DRAWBRIDGE_RECEIPT_DAYS: '13' } },
  { when: 'evidence that is kept for ever', source: { DRAWBRIDGE_EVIDENCE_DAYS: '3651' } },
  { when: 'a country header that no proxy of the operator’s own writes', source: { DRAWBRIDGE_COUNTRY_HEADER: 'cf-ipcountry' } },
  {
    when: 'certificates of clients without a proxy of the operator’s own',
    source: { DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'client-cert', DRAWBRIDGE_PROXY_SECRETS: 'x'.repeat(32) },
  },
  {
    when: 'certificates of clients that any proxy may hand on',
    source: { DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'client-cert', DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' },
  },
  {
    when: 'a secret of a proxy that can be guessed',
    source: { ...certificates, DRAWBRIDGE_PROXY_SECRETS: `${'x'.repeat(32)},short` },
  },
  { when: 'certificates in a header that means something else', source: { ...certificates, DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'DPoP' } },
  { when: 'an address for certificates where none is believed', source: { DRAWBRIDGE_MTLS_URL: 'https://mtls.example.com' } },
  { when: 'certificates without TLS', source: { ...certificates, DRAWBRIDGE_MTLS_URL: 'http://mtls.example.com' } },
  { when: 'a country header that is none', source: { DRAWBRIDGE_COUNTRY_HEADER: 'cf ip', DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' } },
  {
    when: 'passkeys of another domain',
    source: { DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com', DRAWBRIDGE_WEBAUTHN_RP_ID: 'ample.com' },
  },
  {
    when: 'passkeys of a domain below',
    source: { DRAWBRIDGE_PUBLIC_URL: 'https://example.com', DRAWBRIDGE_WEBAUTHN_RP_ID: 'login.example.com' },
  },
  { when: 'passkeys of a URL', source: { DRAWBRIDGE_WEBAUTHN_RP_ID: 'http://localhost' } },
  { when: 'production without a database', source: { NODE_ENV: 'production', DRAWBRIDGE_PUBLIC_URL: 'https://a.example' } },
])('$when is refused', ({ source }) => {
  expect(mistakesOf(source).length).toBeGreaterThan(0)
})
test.each([kmsKey, kmsKey.replace('aws:', 'aws-us-gov:'), kmsKey.replace(/key.*/, 'key/mrk-1234abcd12ab34cd56ef1234567890ab')])(
  'a KMS key may be the only thing that is known of the master keys: %s',
  (arn) => {
    const { DRAWBRIDGE_MASTER_KEYS: _, ...without } = production
    expect(readEnv({ ...without, DRAWBRIDGE_KMS_KEY: arn }).kmsKey).toEqual({ arn, region: 'eu-central-1' })
  },
)
test('eight wrapped keys and local ones are held together', () => {
  const eight = Array.from({ length: 8 }, (_, at) => `${at + 2}:${wrapped}`).join(',')
  const settings = readEnv({
    ...production,
    DRAWBRIDGE_WRAPPED_MASTER_KEYS: eight,
    DRAWBRIDGE_KMS_KEY: kmsKey,
    DRAWBRIDGE_CURRENT_MASTER_KEY: '9',
  })
  expect([settings.masterKeys.length, settings.wrappedMasterKeys.length, settings.currentMasterKey]).toEqual([1, 8, 9])
})
test('neither production nor the broker’s address moves the worker from loopback', () => {
  expect(readEnv({ ...production, DRAWBRIDGE_HOST: '0.0.0.0' }).workerHost).toBe('127.0.0.1')
})
test('every default can be parsed', () => {
  for (const entry of Object.values(settingEntries)) expect(entry.parse(entry.default).ok).toBe(true)
})

describe('what the commands of the admin API read', () => {
  const read = (source: Record<string, string>) => {
    try {
      return readCommandLineEnv(source)
    } catch (error) {
      return String(error)
    }
  }
  it('needs nothing that a broker needs, and speaks to this machine by itself', () => {
    expect(read({ NODE_ENV: 'production' })).toMatchObject({ adminUrl: 'http://localhost:4400', adminKey: undefined })
  })
  it.each([
    { source: { DRAWBRIDGE_ADMIN_URL: 'http://broker.example' }, says: 'https://' },
    { source: { DRAWBRIDGE_ADMIN_URL: 'https://broker.example/admin' }, says: 'origin' },
    { source: { DRAWBRIDGE_ADMIN_KEY: 'dba_short' }, says: 'at least 47 characters' },
    { source: { DRAWBRIDGE_ADMIN_KEY: `dba_${'x'.repeat(43)}`, DRAWBRIDGE_ADMIN_KEY_FILE: '/key' }, says: 'which one is meant' },
  ])('refuses $source and shows no key', ({ source, says }) => {
    expect(read(source)).toContain(says)
    expect(read(source)).not.toMatch(/dba_(short|x)/)
  })
})

test.each(['login.example.com', 'example.com'])('passkeys may belong to %s, where the world reaches login.example.com', (domain) => {
  const settings = readEnv({ DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com', DRAWBRIDGE_WEBAUTHN_RP_ID: domain })
  expect(settings.webauthnRpId).toBe(domain)
})
