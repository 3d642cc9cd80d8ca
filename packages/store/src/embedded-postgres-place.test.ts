import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { placeServer } from './embedded-postgres-place.js'

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-place-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const place = (checkout: string) => placeServer(join(folder, checkout, '.drawbridge', 'demo-database')).dataDirectory

test('two checkouts in unreachable folders never share one database', () => {
  chmodSync(folder, 0o700)
  mkdirSync(join(folder, 'one'))
  mkdirSync(join(folder, 'two'))
  expect(place('one')).not.toBe(place('two'))
  expect(place('one')).toBe(place('one'))
})
