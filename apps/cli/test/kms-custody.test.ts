/**
 * Master keys in the custody of a KMS, as an operator sees it: made by a command, unwrapped at each start, rotated while everything runs.
 * The library is AWS's own, the service a fake that speaks its protocol; processes are processes.
 */
import { runDoctor } from '@drawbridge/cli/doctor'
import { createMasterKey, rewrapMasterKeys } from '@drawbridge/cli/master-key'
import { openPlatform } from '@drawbridge/cli/platform'
import { reseal } from '@drawbridge/cli/reseal'
import { readEnv } from '@drawbridge/runtime/env'
import { aKms, type FakeKms, theirText } from '@drawbridge/testkit/a-kms'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Environment, run, stackLine } from './a-process.js'

/** Processes start in these tests, and on a busy machine each takes its time. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let fixture: TestDatabase
let kms: FakeKms
let key: string
const begin = async () => {
  fixture = await testDatabase({ waitsForCommits: true })
  kms = await aKms()
  key = kms.addKey()
  for (const [name, value] of Object.entries(access())) vi.stubEnv(name, value)
}
const end = async () => {
  vi.unstubAllEnvs()
  await kms.close()
  await fixture.close()
}

/** What AWS's library finds where a role gives it credentials. */
const access = (): Environment => ({
  AWS_ENDPOINT_URL_KMS: kms.url,
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'of-the-test',
})
const environment = (more: Environment = {}): Environment => ({
  NODE_ENV: 'production',
  DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
  DRAWBRIDGE_PORT: '0',
  DRAWBRIDGE_WORKER_PORT: '0',
  DATABASE_URL: fixture.url,
  DATABASE_OWNER_URL: fixture.ownerUrl,
  DRAWBRIDGE_KMS_KEY: key,
  ...more,
})
const local = `1:${Buffer.alloc(32, 1).toString('base64')}`

const create = async (more: Environment = {}) => (await createMasterKey(readEnv(environment(more)))).printed
const rewrap = async (words: readonly string[], more: Environment) => (await rewrapMasterKeys(readEnv(environment(more)), words)).printed
const tried = (words: readonly string[], more: Environment = {}) => run(words, { ...environment(more), ...access() })

/** `drawbridge doctor` in this process. */
const doctor = async (more: Environment) => {
  const said: unknown[] = []
  const heard = vi.spyOn(console, 'log').mockImplementation((line) => void said.push(line))
  try {
    return { code: await runDoctor(readEnv(environment(more))), output: said.join('\n') }
  } finally {
    heard.mockRestore()
  }
}

/** What every process does first. */
const started = (more: Environment) => openPlatform(readEnv(environment(more)), { kind: 'production', logFile: '/dev/null' })
const start = async (more: Environment) => (await started(more)).close()

const place = { installation: 'of-the-test', tenant: 'a', table: 'connections', column: 'sealed_secret', row: 'b' }

describe('a new installation', () => {
  beforeEach(begin)
  afterEach(end)

  it('is migrated without a master key, is told to make one, and runs on what the command printed', async () => {
    expect((await run(['migrate'], environment())).code).toBe(0)
    await expect(start({})).rejects.toThrow('drawbridge master-key create')
    const made = await tried(['master-key', 'create'])
    const wrapped = /^1:[A-Za-z0-9+/=]{40,}$/m.exec(made.output)?.[0] ?? made.output
    await start({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })
    await start({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })
    const trail = await asOwner<{ detail: unknown }>(fixture.ownerUrl, "SELECT detail FROM audit_events WHERE kind = 'master_key.wrapped'")
    expect(trail).toEqual([{ detail: { versions: [1], key, how: 'created', by: 'command line' } }])
  })

  it('opens after a restart what it sealed, and asks the KMS at its start alone: where that is gone, what runs goes on', async () => {
    const wrapped = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: await create() }
    const first = await started(wrapped)
    const sealed = first.sealer.seal(Buffer.from('a secret'), place)
    await first.close()
    const second = await started(wrapped)
    const asked = kms.requests.length
    await kms.close()
    expect(second.sealer.open(sealed, place)).toEqual({ ok: true, value: Buffer.from('a secret') })
    expect(second.sealer.open(second.sealer.seal(Buffer.from('another'), place), place)).toMatchObject({ ok: true })
    expect(kms.requests).toHaveLength(asked)
    await second.close()
    await expect(start(wrapped)).rejects.toThrow('the KMS did not answer in time')
    kms = await aKms()
  })
})

describe('a version of the master key', () => {
  beforeAll(begin)
  afterAll(end)

  it('is one key: another one that was made under it is refused once the first has been used', async () => {
    const [first, second] = [await create(), await create()]
    expect([first, second]).toEqual([expect.stringMatching(/^1:/), expect.stringMatching(/^1:/)])
    await start({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: first })
    await expect(start({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: second })).rejects.toThrow('is not the key that this database knows')
  })
})

describe('an installation moves', () => {
  beforeEach(begin)
  afterEach(end)

  it('from keys of its environment to the KMS by a rotation, and needs the old key no more', async () => {
    await start({ DRAWBRIDGE_MASTER_KEYS: local })
    await aTenant(fixture, { slug: 'acme' })
    const wrapped = await create({ DRAWBRIDGE_MASTER_KEYS: local })
    expect(wrapped).toMatch(/^2:/)
    const both = { DRAWBRIDGE_MASTER_KEYS: local, DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped }
    await start({ ...both, DRAWBRIDGE_CURRENT_MASTER_KEY: '1' })
    const platform = await started(both)
    const sealed = platform.sealer.seal(Buffer.from('a secret'), place)
    expect((await reseal(platform)).uses).toEqual([])
    await platform.close()
    const alone = await started({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })
    expect(alone.sealer.open(sealed, place)).toMatchObject({ ok: true })
    await alone.close()
    await expect(start({ DRAWBRIDGE_MASTER_KEYS: local })).rejects.toThrow('version 1 of the master key was retired')
  })

  it('to another KMS key by wrapping anew: the keys are the same, and the old text is of no use there', async () => {
    const wrapped = await create()
    const platform = await started({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })
    const sealed = platform.sealer.seal(Buffer.from('a secret'), place)
    await platform.close()
    const other = kms.addKey()
    const said = await tried(['master-key', 'rewrap', '--to', other], { DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })
    expect(said.output).toContain(`DRAWBRIDGE_KMS_KEY=${other}`)
    const anew = /^1:[A-Za-z0-9+/=]{40,}$/m.exec(said.output)?.[0] ?? said.output
    kms.setState(key, 'PendingDeletion')
    const moved = await started({ DRAWBRIDGE_KMS_KEY: other, DRAWBRIDGE_WRAPPED_MASTER_KEYS: anew })
    expect(moved.sealer.open(sealed, place)).toMatchObject({ ok: true })
    await moved.close()
    await expect(start({ DRAWBRIDGE_KMS_KEY: other, DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })).rejects.toThrow(
      'does not open in this place',
    )
  })
})

/** On one database, which nothing of this changes. */
describe('what is asked of a KMS, and refused', () => {
  beforeAll(begin)
  afterAll(end)
  afterEach(() => {
    kms.fail(undefined)
    kms.setState(key, 'Enabled')
  })

  it('a start refuses a key that was wrapped for another installation, though the KMS would open it', async () => {
    const wrapped = await create()
    const other = await testDatabase({ waitsForCommits: true })
    try {
      const elsewhere = { DATABASE_URL: other.url, DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped }
      await expect(start(elsewhere)).rejects.toThrow('does not open in this place')
    } finally {
      await other.close()
    }
  })

  it('a start refuses where the KMS does, in every command that opens keys: with reason, remedy and exit code 1', async () => {
    const more = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: await create() }
    kms.fail({ kind: 'refused', type: 'AccessDeniedException' })
    for (const { code, output } of await Promise.all(['broker', 'worker', 'migrate'].map((name) => tried([name], more)))) {
      expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('the KMS does not allow it') })
      expect(output).not.toMatch(stackLine)
      expect(output).not.toContain(theirText)
    }
  })

  it('settings are refused that name a version twice, or wrapped keys without the key that unwraps them', async () => {
    const wrapped = await create()
    expect(() => readEnv(environment({ DRAWBRIDGE_MASTER_KEYS: local, DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped }))).toThrow(
      'the same version',
    )
    const { DRAWBRIDGE_KMS_KEY: _, ...without } = environment({ DRAWBRIDGE_WRAPPED_MASTER_KEYS: wrapped })
    expect(() => readEnv(without)).toThrow('needs DRAWBRIDGE_KMS_KEY')
  })

  it('doctor asks the KMS as a start would, and says what it hears', async () => {
    const more = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: await create() }
    expect(await doctor(more)).toMatchObject({ code: 0, output: expect.stringContaining(`${key} unwraps the master keys`) })
    kms.setState(key, 'Disabled')
    expect(await doctor(more)).toMatchObject({ code: 1, output: expect.stringContaining('disabled or about to be deleted') })
  })

  it('doctor says that a key is named and nothing is wrapped under it', async () => {
    expect(await doctor({})).toMatchObject({ code: 0, output: expect.stringContaining('there is no wrapped master key') })
  })

  it('doctor cannot say it without the database', async () => {
    const more = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: await create(), DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/x' }
    expect(await doctor(more)).toMatchObject({ code: 1, output: expect.stringContaining('cannot be said') })
  })

  it('not to a key in another region by wrapping anew, which no KMS does', async () => {
    const far = kms.addKey({ region: 'us-east-1' })
    const more = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: await create() }
    await expect(rewrap(['--to', far], more)).rejects.toThrow('within one region')
  })

  it('neither command runs without a database and a KMS key, and rewrap takes only what it knows', async () => {
    const { DRAWBRIDGE_KMS_KEY: _, ...without } = environment({ DRAWBRIDGE_MASTER_KEYS: local })
    await expect(createMasterKey(readEnv(without))).rejects.toThrow('needs DATABASE_URL (migrated) and DRAWBRIDGE_KMS_KEY')
    await expect(rewrapMasterKeys(readEnv(without), [])).rejects.toThrow('needs DATABASE_URL (migrated) and DRAWBRIDGE_KMS_KEY')
    await expect(rewrap([], {})).rejects.toThrow('there is nothing to wrap anew')
    await expect(rewrap(['--from', key], {})).rejects.toThrow('takes --to <arn>')
    await expect(rewrap(['--to', 'alias/mine'], {})).rejects.toThrow('must be the ARN of a key')
  })

  it('what the KMS refuses is neither printed nor written down as made', async () => {
    const before = (await asOwner(fixture.ownerUrl, "SELECT 1 FROM audit_events WHERE kind = 'master_key.wrapped'")).length
    kms.fail({ kind: 'refused', type: 'AccessDeniedException' })
    await expect(create()).rejects.toThrow('kms:GenerateDataKeyWithoutPlaintext for version 1')
    const wrapped = { DRAWBRIDGE_WRAPPED_MASTER_KEYS: `1:${Buffer.alloc(184).toString('base64')}` }
    await expect(rewrap([], wrapped)).rejects.toThrow('kms:ReEncryptFrom and kms:ReEncryptTo for version 1')
    expect(await asOwner(fixture.ownerUrl, "SELECT 1 FROM audit_events WHERE kind = 'master_key.wrapped'")).toHaveLength(before)
  })
})
