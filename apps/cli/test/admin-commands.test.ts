/** The command line against a real broker: the first customer, from tenant to guard's credential, and how it says no. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, stackLine } from './a-process.js'

let fixture: TestDatabase
let broker: TestBroker
let folder: string
let environment: Record<string, string>
beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database)
  folder = mkdtempSync(join(tmpdir(), 'drawbridge commands '))
  environment = { DRAWBRIDGE_ADMIN_URL: broker.url, DRAWBRIDGE_ADMIN_KEY: broker.adminKey, IDP_SECRET: 'of the IdP' }
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await broker?.close()
  await fixture?.close()
})

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}
const drawbridge = (...words: string[]) => run(words, environment)
const json = async (...words: string[]) => JSON.parse((await drawbridge(...words, '--json')).output)

describe('the first customer', () => {
  it('is made, connected, provisioned and guarded', async () => {
    expect((await drawbridge('tenant', 'create', 'initech', '--name', 'Initech')).output).toContain('/t/initech')
    const created = await drawbridge(
      ...['connection', 'create', 'initech', '--kind', 'oidc', '--name', 'Initech sign-in'],
      ...['--issuer', 'https://idp.initech.example', '--client-id', 'drawbridge', '--client-secret-env', 'IDP_SECRET'],
    )
    expect(created).toMatchObject({ code: 0, output: expect.stringMatching(/redirectUri .*\/t\/initech\/oidc\/[0-9a-f-]+\/callback/) })
    expect(created.output).not.toContain('of the IdP')
    const token = await json('scim-token', 'create', 'initech', 'Initech sign-in', '--name', 'directory')
    expect(token).toMatchObject({ secret: expect.stringMatching(/^dbs_/), provisioningMode: 'scim_only' })
    const scopes = file(
      'scopes.yaml',
      'scopes:\n  - name: documents:read\n    description: Find and read documents\n    tier: read\n    isDefault: true\n',
    )
    const identifier = 'https://documents.example/mcp'
    const resource = await drawbridge(
      'resource',
      'create',
      'initech',
      '--identifier',
      identifier,
      '--name',
      'Documents',
      '--scopes',
      scopes,
    )
    expect(resource.code).toBe(0)
    expect(await json('resource', 'credential', 'create', 'initech', identifier)).toMatchObject({ secret: expect.stringMatching(/^dbx_/) })
    const policy = file('policy.yaml', 'version: 1\nrules:\n  - name: all\n    effect: grant\n    everyone: true\n    scopes: ["*"]\n')
    expect((await drawbridge('policy', 'publish', 'initech', '--file', policy)).code).toBe(0)
    expect((await drawbridge('policy', 'show', 'initech')).output).toContain('everyone: true')
    const listed = await drawbridge('connection', 'list', 'initech')
    expect(listed.output.split('\n')[1]).toMatch(/^Initech sign-in {2}oidc {2}[0-9a-f-]{36}/)
  }, 60_000)

  it('gets a SAML connection from metadata that was looked at, and one change at a time', async () => {
    const metadata = file('metadata.xml', plainMetadata({ certificates: [aKey().certificate] }))
    const seen = await json('connection', 'diagnose', 'initech', '--metadata-file', metadata)
    expect(seen).toMatchObject({ usable: true })
    const made = await json('connection', 'create', 'initech', '--kind', 'saml', '--name', 'SAML', '--metadata-file', metadata)
    expect(made.addresses.acsUrl).toContain(made.id)
    const changed = await json(
      'connection',
      'update',
      'initech',
      'SAML',
      '--name',
      'Corporate',
      '--configuration',
      file('more.yaml', 'forceAuthn: true\n'),
    )
    expect(changed).toMatchObject({ name: 'Corporate', configuration: { ...made.configuration, forceAuthn: true } })
    const taken = await json('connection', 'update', 'initech', 'Corporate', '--unset', 'forceAuthn')
    expect(taken.configuration).toEqual(made.configuration)
    const other = file('other.xml', plainMetadata({ certificates: [aKey().certificate] }))
    expect((await drawbridge('connection', 'metadata', 'apply', 'initech', 'Corporate', '--metadata-file', other)).code).toBe(2)
    const applied = await drawbridge('connection', 'metadata', 'apply', 'initech', 'Corporate', '--metadata-file', other, '--yes')
    expect(applied.code).toBe(0)
    expect((await json('connection', 'show', 'initech', 'Corporate')).configuration.certificates).toHaveLength(2)
  }, 60_000)

  it('claims a domain, chooses by rules that name connections, and is taken back only by somebody who means it', async () => {
    const claimed = await drawbridge('domain', 'add', 'initech', 'initech.example', '--connection', 'Corporate', '--vouch')
    expect(claimed.code).toBe(0)
    expect(await json('domain', 'find', 'initech.example')).toMatchObject({
      tenant: { slug: 'initech' },
      connection: { name: 'Corporate' },
    })
    const choice = file('choice.yaml', `rules:\n  - when: hint.startsWith('ext-')\n    connection: Corporate\nfallback: Initech sign-in\n`)
    expect((await drawbridge('connection-choice', 'set', 'initech', '--file', choice)).code).toBe(0)
    const kill = ['connection', 'kill', 'initech', 'Corporate', '--reason', 'a test']
    expect(await drawbridge(...kill)).toMatchObject({ code: 2, output: expect.stringContaining('say --yes') })
    expect((await drawbridge(...kill, '--yes')).code).toBe(0)
    expect((await json('connection', 'show', 'initech', 'Corporate')).disabledAt).not.toBeNull()
    expect((await drawbridge('connection', 'remove', 'initech', 'Corporate', '--yes')).output).toContain('still_in_use')
  }, 60_000)
})

it('a client is decided on as it was seen: the queue prints its tag, and what changed meanwhile is refused', async () => {
  await drawbridge('tenant', 'create', 'umbrella', '--name', 'Umbrella')
  const registered = await fetch(`${broker.url}/t/umbrella/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Agent', redirect_uris: ['https://agent.example/cb'] }),
  })
  const { client_id: id } = (await registered.json()) as { client_id: string }
  expect(await json('client', 'waiting', 'umbrella')).toEqual({ clients: [] })
  const [waits] = (await json('client', 'waiting', 'umbrella', '--unused')).clients
  expect(waits).toMatchObject({ clientId: id, host: 'agent.example', people: 0 })
  expect((await drawbridge('client', 'waiting', 'umbrella', '--unused')).output).toContain(waits.etag)
  const seen = ['--if-match', waits.etag]
  expect(await json('client', 'approve', 'umbrella', id, ...seen)).toMatchObject({ preApproved: true })
  const late = await drawbridge('client', 'block', 'umbrella', id, ...seen, '--yes')
  expect(late).toMatchObject({ code: 1, output: expect.stringContaining('client_changed') })
  expect(await json('client', 'show', 'umbrella', id)).toMatchObject({ preApproved: true, blockedAt: null })
}, 60_000)

describe('it says no', () => {
  it.each([
    { what: 'to a noun that is misspelt', words: ['conection', 'list', 'initech'], code: 2, says: 'is drawbridge connection list meant?' },
    { what: 'to a command of this machine that is misspelt', words: ['migrat'], code: 2, says: 'is drawbridge migrate meant?' },
    {
      what: 'to a verb of two words that is misspelt',
      words: ['connection', 'metadata', 'aply', 'initech'],
      code: 2,
      says: 'There is no "connection metadata aply": is drawbridge connection metadata apply meant?',
    },
    { what: 'by the broker', words: ['tenant', 'show', 'nobody'], code: 1, says: 'check the slug' },
    {
      what: 'for a name that nothing has',
      words: ['connection', 'show', 'initech', 'nothing'],
      code: 1,
      says: 'there is no connection "nothing"',
    },
    {
      what: 'for a name that leads elsewhere',
      words: ['client', 'kill', 'initech', '..', '--reason', 'x', '--yes'],
      code: 1,
      says: 'leads elsewhere',
    },
    { what: 'for words', words: ['tenant', 'list', 'all'], code: 2, says: 'one word too many' },
    {
      what: 'for a file that is not there',
      words: ['policy', 'check', 'initech', '--file', '/nowhere'],
      code: 2,
      says: 'there is no file',
    },
    { what: 'for a plain-text address', words: ['tenant', 'list', '--url', 'http://broker.example'], code: 2, says: 'https://' },
  ])('$what, with code $code', async ({ words, code, says }) => {
    const ended = await drawbridge(...words)
    expect(ended).toMatchObject({ code, output: expect.stringContaining(says) })
    expect(ended.output).not.toMatch(stackLine)
  })

  it('to a key that is refused, and shows it nowhere', async () => {
    const wrong = `dba_${'x'.repeat(43)}`
    const ended = await run(['tenant', 'list'], { ...environment, DRAWBRIDGE_ADMIN_KEY: wrong })
    expect(ended).toMatchObject({ code: 1, output: expect.stringContaining('check DRAWBRIDGE_ADMIN_KEY') })
    expect(ended.output).not.toContain(wrong)
  })

  it('where nobody answers, where something else does, and where others may read the key', async () => {
    const away = await run(['tenant', 'list'], { ...environment, DRAWBRIDGE_ADMIN_URL: `http://127.0.0.1:${await freePort()}` })
    expect(away).toMatchObject({ code: 3, output: expect.stringContaining('nobody listens there') })
    const { DRAWBRIDGE_ADMIN_KEY: key = '', ...rest } = environment
    const open = file('key', `${key}\n`)
    expect((await run(['tenant', 'list'], { ...rest, DRAWBRIDGE_ADMIN_KEY_FILE: open })).code).toBe(0)
    chmodSync(open, 0o644)
    const seen = await run(['tenant', 'list'], { ...rest, DRAWBRIDGE_ADMIN_KEY_FILE: open })
    expect(seen).toMatchObject({ code: 2, output: expect.stringContaining('chmod 600') })
    expect((await run(['tenant', 'list'], rest)).output).toContain('there is no admin key')
  })
})
