import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRandom } from '@drawbridge/crypto/random'
import { afterAll, expect, test } from 'vitest'
import { ensureSecrets } from './secrets-file.js'

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-secrets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('secrets are made once and kept', () => {
  const first = ensureSecrets(join(folder, 'a.json'), systemRandom())
  const second = ensureSecrets(join(folder, 'a.json'), systemRandom())
  expect(second.ownerPassword).toBe(first.ownerPassword)
  expect(second.masterKeys[0]?.key.reveal()).toBe(first.masterKeys[0]?.key.reveal())
  expect(JSON.stringify(first)).not.toContain(first.masterKeys[0]?.key.reveal())
})

test('a damaged file is never replaced: what it sealed would be lost', () => {
  writeFileSync(join(folder, 'b.json'), '{"masterKeys":[]}')
  expect(() => ensureSecrets(join(folder, 'b.json'), systemRandom())).toThrow('is damaged')
})
