import { describe, expect, it, test } from 'vitest'
import type { ClientId, TenantSlug } from '../tenant/ids.js'
import { canBeNamed, couldBePersons, machineSubject } from './machine-subject.js'

const uuid = '3f0c5d1e-8a57-4f44-9d0b-2f2d7e1c9a10'
/** HMAC-SHA-256 in base64url, as `crypto/pairwise-subject` makes it. */
const pairwise = 'e3LeR-1yqMnFq6oO4vWZ4i2kQm0cGd7kJmBAb_8x7dE'

test.each([
  { what: 'a UUID', name: uuid, could: true },
  { what: 'a UUID in capitals', name: uuid.toUpperCase(), could: true },
  { what: 'a UUID without hyphens', name: uuid.replaceAll('-', ''), could: true },
  { what: 'a UUID with hyphens elsewhere', name: '3f0c-5d1e-8a57-4f44-9d0b-2f2d-7e1c-9a10', could: true },
  { what: 'the UUID of nobody', name: '00000000-0000-0000-0000-000000000000', could: true },
  { what: 'a sub of one sector', name: pairwise, could: true },
  { what: 'as long a name that is no such sub', name: `${pairwise.slice(0, -1)}F`, could: false },
  { what: 'a UUID with a word before it', name: `dbd_${uuid}`, could: false },
  // As long as a sub of one sector.
  { what: 'a UUID with a longer word before it', name: `client-${uuid}`, could: false },
  { what: 'the same in capitals', name: `client-${uuid}`.toUpperCase(), could: false },
  { what: 'a UUID and one digit more', name: `${uuid}0`, could: false },
  { what: 'a name', name: 'worker', could: false },
  { what: 'the address of a document', name: `https://agent.example/${uuid}`, could: false },
])('$what could be a person’s: $could', ({ name, could }) => {
  expect(couldBePersons(name)).toBe(could)
})

describe('the sub of a client', () => {
  const acme = { tenant: 'acme' as TenantSlug }

  it('is its client_id at a tenant’s own issuer, unless a person could have that', () => {
    expect(machineSubject('worker' as ClientId, acme)).toBe('worker')
    expect(canBeNamed('worker' as ClientId, acme)).toBe(true)
    for (const id of [uuid, pairwise]) expect(canBeNamed(id as ClientId, acme)).toBe(false)
  })

  it('is at the front of one tenant, and never a person’s', () => {
    const at = { ...acme, isFront: true }
    expect(machineSubject('worker' as ClientId, at)).toBe('acme.worker')
    for (const id of [uuid, pairwise]) expect(canBeNamed(id as ClientId, at)).toBe(true)
  })

  it('tells apart what dots in a client_id could run together', () => {
    const one = machineSubject('b.c' as ClientId, { tenant: 'a' as TenantSlug, isFront: true })
    const other = machineSubject('c' as ClientId, { tenant: 'a-b' as TenantSlug, isFront: true })
    expect([one, other]).toEqual(['a.b.c', 'a-b.c'])
  })
})
