/** What a file of a tenant may have sent to its IdP: a secret of that IdP, and nothing of whoever applies the file. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadPolicy, loadSecret, loadTexts } from './load-files.js'
import { type PlacedTenant, readTenantFiles } from './read-tenant-files.js'

const folder = mkdtempSync(join(tmpdir(), 'tenant-file-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'acme.yaml')
const adminKey = `dba_${'k'.repeat(43)}`

it('a secret is read from the variable, or from the first line of the file beside it', () => {
  writeFileSync(join(folder, 'okta'), 'hunter22\n')
  expect(loadSecret(file, { fromEnv: 'ACME_OKTA' }, { ACME_OKTA: 'hunter22' })).toEqual({ ok: true, value: 'hunter22' })
  expect(loadSecret(file, { fromFile: 'okta' }, {})).toEqual({ ok: true, value: 'hunter22' })
})
it('a slug like our own name leaves its variables usable', () => {
  const variable = 'DRAWBRIDGE_OKTA_CLIENT_SECRET'
  expect(loadSecret(file, { fromEnv: variable }, { [variable]: 'hunter22' })).toEqual({ ok: true, value: 'hunter22' })
})
it.each(['DRAWBRIDGE_ADMIN_KEY', 'DRAWBRIDGE_MASTER_KEYS', 'DATABASE_URL', 'DRAWBRIDGE_SMTP_URL'])(
  'the setting %s is no secret of an IdP: its issuer would be sent it',
  (fromEnv) => {
    expect(loadSecret(file, { fromEnv }, { [fromEnv]: 'whatever it holds' })).toEqual({
      ok: false,
      error: expect.stringContaining(fromEnv),
    })
  },
)
it('an admin key is no secret of an IdP, wherever it is read from, and the refusal does not tell it', () => {
  writeFileSync(join(folder, 'admin-key'), `${adminKey}\n`)
  const read = [
    loadSecret(file, { fromFile: 'admin-key' }, {}),
    loadSecret(file, { fromEnv: 'CI_SECRET_7' }, { CI_SECRET_7: ` ${adminKey}` }),
  ]
  for (const each of read) expect(each.ok).toBe(false)
  expect(JSON.stringify(read)).not.toContain(adminKey)
})

/** A pipe that nobody writes to: who waits for it waits for ever. */
const aPipe = (name: string): string => {
  execFileSync('mkfifo', [join(folder, name)])
  return name
}
const aFile = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return name
}
it.each([
  { what: 'a device without end', fromFile: () => '/dev/zero', says: 'is no regular file' },
  { what: 'a pipe that nobody writes to', fromFile: () => aPipe('pipe'), says: 'is no regular file' },
  { what: 'a folder', fromFile: () => '.', says: 'is no regular file' },
  { what: 'a link to a device', fromFile: () => aLink('link', '/dev/zero'), says: 'is no regular file' },
  { what: 'a huge file', fromFile: () => aFile('huge', 'x'.repeat(65_537)), says: /larger than \d+ bytes/ },
  { what: 'nothing', fromFile: () => 'nothing', says: 'there is no file' },
])('$what is neither a secret nor a policy, and the command goes on', ({ fromFile, says }) => {
  const named = fromFile()
  const mistake = typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says)
  expect(loadSecret(file, { fromFile: named }, {})).toEqual({ ok: false, error: mistake })
  expect(loadPolicy(aTenant(named))).toMatchObject({ ok: false, error: [{ path: 'policy.fromFile', line: 3, say: mistake }] })
})
it('what the kernel makes up is empty: the environment of whoever applies the file is no secret of an IdP', () => {
  expect(loadSecret(file, { fromFile: '/proc/self/environ' }, {}).ok).toBe(false)
  expect(loadSecret(file, { fromFile: aFile('copied-environment', `A=b\0DRAWBRIDGE_ADMIN_KEY=${adminKey}\0`) }, {}).ok).toBe(false)
  expect(loadSecret(file, { fromFile: aFile('other-environment', 'A=b\0C=d\0') }, {})).toEqual({
    ok: false,
    error: expect.stringContaining('control characters'),
  })
})
it('a folder that holds a pipe is a mistake, and of what somebody typed no more is read than the limit', () => {
  const tenants = join(folder, 'tenants')
  mkdirSync(tenants)
  execFileSync('mkfifo', [join(tenants, 'a.yaml')])
  expect(loadTexts([tenants])).toMatchObject({ ok: false, error: [{ say: expect.stringContaining('is no regular file') }] })
  expect(loadTexts(['/dev/zero'])).toMatchObject({ ok: false, error: [{ say: expect.stringContaining('larger than') }] })
})
const aLink = (name: string, to: string): string => {
  symlinkSync(to, join(folder, name))
  return name
}
function aTenant(fromFile: string): PlacedTenant {
  const read = readTenantFiles([{ file, text: `version: 1\ntenant: {slug: acme, name: Acme}\npolicy: {fromFile: '${fromFile}'}\n` }])
  if (!read.ok || read.value[0] === undefined) throw new Error(JSON.stringify(read))
  return read.value[0]
}
