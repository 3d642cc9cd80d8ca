/** What a file of a tenant may have sent to its IdP: a secret of that IdP, and nothing of whoever applies the file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from '@jest/globals'
import { loadSecret } from './load-files.js'

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
