/** AWS's own client library against a fake of the service: what opens, and that nothing else does. */
import { aKms, type FakeKms, type KmsFault, theirText } from '@drawbridge/testkit/a-kms'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { joinCustodies, localCustody } from './key-custody.js'
import { createKms, kmsCustody, type WrappedMasterKey } from './kms-custody.js'
import { kmsRefusals, sayKmsRefusal } from './kms-refusal.js'

const installation = '11111111-1111-4111-8111-111111111111'
const region = 'eu-central-1'
/** As in production, but nobody waits for what never comes. */
const limits = { connectMs: 1000, answerMs: 150, tries: 2, wholeMs: 3000 }

let service: FakeKms
let arn: string
beforeAll(async () => {
  service = await aKms()
  arn = service.addKey()
})
afterAll(() => service.close())
afterEach(() => {
  service.fail(undefined)
  service.setState(arn, 'Enabled')
  vi.unstubAllEnvs()
})

/** What a process has in its environment where a role gives it credentials. */
const kmsAt = (url = service.url, key = { arn, region }) => {
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', url)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'of-the-test')
  return createKms(key, limits)
}
const created = async (version = 1, at = installation): Promise<WrappedMasterKey> => {
  const made = await kmsAt().create(version, at)
  if (!made.ok) throw new Error(sayKmsRefusal(made.error))
  return made.value
}
const keysOf = async (wrapped: readonly WrappedMasterKey[], at = installation) => {
  const opened = await kmsAt().unwrap(wrapped, at)
  if (!opened.ok) throw new Error(sayKmsRefusal(opened.error))
  return opened.value
}
const refusalOf = async (wrapped: readonly WrappedMasterKey[], kms = kmsAt(), at = installation) => {
  const opened = await kms.unwrap(wrapped, at)
  return opened.ok ? 'opened' : opened.error.reason
}

describe('a wrapped master key', () => {
  it('opens to 256 bits, each time the same, for the installation and version it was made for', async () => {
    const [one, two] = [await created(1), await created(2)]
    const first = await keysOf([one, two])
    expect(first.map(({ version, key }) => [version, key.length])).toEqual([
      [1, 32],
      [2, 32],
    ])
    expect(first[0]?.key.equals(first[1]?.key as Buffer)).toBe(false)
    expect(await keysOf([one, two])).toEqual(first)
  })

  it('is made without anybody seeing the key, and bound to its place in the KMS', async () => {
    const before = service.requests.length
    await created(3)
    expect(service.requests.slice(before)).toEqual([
      {
        action: 'GenerateDataKeyWithoutPlaintext',
        scope: `${region}/kms`,
        input: {
          KeyId: arn,
          KeySpec: 'AES_256',
          EncryptionContext: { 'drawbridge-installation': installation, 'drawbridge-master-key': '3' },
        },
      },
    ])
  })

  it.each([
    { where: 'another installation', move: (key: WrappedMasterKey) => ({ key, at: '22222222-2222-4222-8222-222222222222' }) },
    { where: 'another version', move: (key: WrappedMasterKey) => ({ key: { ...key, version: 2 }, at: installation }) },
    {
      where: 'the same place with one bit changed',
      move: ({ version, wrapped }: WrappedMasterKey) => {
        const other = Buffer.from(wrapped)
        other.writeUInt8(other.readUInt8(other.length - 20) ^ 1, other.length - 20)
        return { key: { version, wrapped: other }, at: installation }
      },
    },
    { where: 'a place where it is garbage', move: () => ({ key: { version: 1, wrapped: Buffer.alloc(100, 7) }, at: installation }) },
  ])('opens nowhere else: $where', async ({ move }) => {
    const { key, at } = move(await created(1))
    expect(await refusalOf([key], kmsAt(), at)).toBe('kms_wrapped_for_another')
  })

  it('of another KMS key that we may use as well is refused: the key is named', async () => {
    const other = service.addKey()
    const made = await kmsAt(service.url, { arn: other, region }).create(1, installation)
    expect(made.ok && (await refusalOf([made.value]))).toBe('kms_wrapped_for_another')
  })

  it('that does not open keeps the others back', async () => {
    expect(await refusalOf([await created(1), { version: 2, wrapped: Buffer.alloc(100, 7) }])).toBe('kms_wrapped_for_another')
  })
})

describe('wrapping anew', () => {
  it('keeps the key, takes the newest material, and shows the key to nobody', async () => {
    const old = await created(1)
    service.rotate(arn)
    const before = service.requests.length
    const anew = await kmsAt().rewrap([old], installation, { arn, region })
    const [wrapped] = anew.ok ? anew.value : []
    expect(service.materialOf(wrapped?.wrapped as Buffer)).toBe(service.materialOf(old.wrapped) + 1)
    expect(service.requests.slice(before).map(({ action }) => action)).toEqual(['ReEncrypt'])
    expect(await keysOf([wrapped as WrappedMasterKey])).toEqual(await keysOf([old]))
  })

  it('moves a key to another KMS key, and not to another installation or version', async () => {
    const old = await created(1)
    const other = { arn: service.addKey(), region }
    const anew = await kmsAt().rewrap([old], installation, other)
    const moved = anew.ok ? anew.value : []
    expect(await refusalOf(moved)).toBe('kms_wrapped_for_another')
    expect(await kmsAt(service.url, other).unwrap(moved, installation)).toEqual({ ok: true, value: await keysOf([old]) })
    expect(await kmsAt().rewrap([{ ...old, version: 9 }], installation, other)).toMatchObject({
      error: { reason: 'kms_wrapped_for_another' },
    })
  })
})

const refused = (type: string, status?: number): KmsFault => ({ kind: 'refused', type, ...(status === undefined ? {} : { status }) })
const answering = (body: object): KmsFault => ({ kind: 'answers', body: JSON.stringify(body) })

describe('a fault of the KMS is told by its reason, and no key is given', () => {
  it.each<{ fault: KmsFault; reason: keyof typeof kmsRefusals }>([
    { fault: refused('AccessDeniedException'), reason: 'kms_denied' },
    { fault: refused('UnrecognizedClientException'), reason: 'kms_credentials_unusable' },
    { fault: refused('ExpiredTokenException'), reason: 'kms_credentials_unusable' },
    { fault: refused('InvalidSignatureException'), reason: 'kms_credentials_unusable' },
    { fault: refused('NotFoundException'), reason: 'kms_key_unknown' },
    { fault: refused('InvalidKeyUsageException'), reason: 'kms_key_unfit' },
    { fault: refused('ThrottlingException'), reason: 'kms_throttled' },
    { fault: refused('LimitExceededException'), reason: 'kms_throttled' },
    { fault: refused('KMSInternalException', 500), reason: 'kms_unavailable' },
    { fault: refused('DependencyTimeoutException', 503), reason: 'kms_unavailable' },
    { fault: refused('SomethingNewException'), reason: 'kms_answer_unusable' },
    { fault: { kind: 'silent' }, reason: 'kms_unreachable' },
    { fault: { kind: 'hung up' }, reason: 'kms_unreachable' },
    { fault: { kind: 'answers', body: '<html>a proxy</html>' }, reason: 'kms_answer_unusable' },
    { fault: answering({}), reason: 'kms_answer_unusable' },
  ])('$fault → $reason', async ({ fault, reason }) => {
    const key = await created(1)
    service.fail(fault)
    expect(await refusalOf([key])).toBe(reason)
  })

  it.each([
    { state: 'Disabled' as const, reason: 'kms_key_unusable' },
    { state: 'PendingDeletion' as const, reason: 'kms_key_unusable' },
  ])('a key that is $state', async ({ state, reason }) => {
    const key = await created(1)
    service.setState(arn, state)
    expect(await refusalOf([key])).toBe(reason)
  })

  it('an answer of another key, or with a key of another length, is none', async () => {
    const key = await created(1)
    const plain = Buffer.alloc(32, 1).toString('base64')
    service.fail(answering({ KeyId: service.addKey(), Plaintext: plain }))
    expect(await refusalOf([key])).toBe('kms_answer_unusable')
    service.fail(answering({ KeyId: arn, Plaintext: Buffer.alloc(16, 1).toString('base64') }))
    expect(await refusalOf([key])).toBe('kms_answer_unusable')
    service.fail(answering({ KeyId: arn, Plaintext: plain }))
    expect(await refusalOf([key])).toBe('opened')
  })

  it('what is for a moment only is tried again', async () => {
    const key = await created(1)
    service.fail(refused('ThrottlingException'))
    const before = service.requests.length
    expect(await refusalOf([key])).toBe('kms_throttled')
    expect(service.requests.length - before).toBe(limits.tries)
  })

  it('nothing listens there', async () => {
    const gone = await aKms()
    await gone.close()
    expect(await refusalOf([await created(1)], kmsAt(gone.url))).toBe('kms_unreachable')
  })

  it('no credentials anywhere', async () => {
    const key = await created(1)
    const kms = kmsAt()
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere')
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
    expect(await refusalOf([key], kms)).toBe('kms_credentials_unusable')
  })

  it('an address without TLS beyond this machine is not spoken to, wherever it was set', async () => {
    const key = await created(1)
    const before = service.requests.length
    expect(await refusalOf([key], kmsAt('http://kms.internal.example'))).toBe('kms_address_insecure')
    expect(service.requests).toHaveLength(before)
  })

  it('is told with action, key, version and remedy, and without a word of theirs', async () => {
    const key = await created(4)
    service.fail(refused('AccessDeniedException'))
    const opened = await kmsAt().unwrap([key], installation)
    const said = opened.ok ? '' : sayKmsRefusal(opened.error)
    for (const part of ['kms:Decrypt', 'version 4', arn, 'AccessDeniedException', 'request ', kmsRefusals.kms_denied.remedy])
      expect(said).toContain(part)
    expect(said).not.toContain(theirText)
    expect(said).not.toContain(key.wrapped.toString('base64'))
  })
})

describe('both custodies', () => {
  it('open together, which is how an installation moves from one to the other', async () => {
    const local = { version: 1, key: Buffer.alloc(32, 1) }
    const wrapped = await created(2)
    const opened = await joinCustodies([localCustody([local]), kmsCustody(kmsAt(), [wrapped])]).open(installation)
    expect(opened).toEqual({ ok: true, value: [local, ...(await keysOf([wrapped]))] })
  })

  it('give no key where one of them refuses', async () => {
    const wrapped = await created(2)
    service.fail(refused('AccessDeniedException'))
    const opened = await joinCustodies([localCustody([{ version: 1, key: Buffer.alloc(32, 1) }]), kmsCustody(kmsAt(), [wrapped])]).open(
      installation,
    )
    expect(opened.ok).toBe(false)
  })
})
