/** What a guard is told when it opens its stream, read: all of it, or nothing. What becomes of it at a broker is in the broker's own tests. */
import { expect, test } from 'vitest'
import { createBarriers } from './barriers.js'
import { readSnapshot } from './snapshot.js'
import { trustIssuer } from './trusted-issuer.js'

const credential = { id: 'id', secret: 'secret' }
const acme = trustIssuer({ issuer: 'https://login.example/t/acme', credential }, fetch)
const front = trustIssuer({ issuer: 'https://login.example', front: true, credential }, fetch)

test('a floor refuses whatever the issuer issued for the tenant until then, and nothing of later, of another tenant or another issuer', () => {
  const told = readSnapshot(front, { acme: { floor: { 1000: ['*'] }, subject: { 2: ['ada'] } } }, [])
  expect(told).toEqual([
    { floor: { issuer: front.issuer, tenant: 'acme', untilSeconds: 1000 } },
    { barrier: { issuer: front.issuer, tenant: 'acme', target: 'subject', targetId: 'ada', epoch: 2 } },
  ])
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 100 })
  barriers.raiseFloor({ issuer: front.issuer, tenant: 'acme', untilSeconds: 1000 })
  // A lower one takes nothing of it back.
  barriers.raiseFloor({ issuer: front.issuer, tenant: 'acme', untilSeconds: 900 })
  const isDead = (issuedAtSeconds: number, tenant = 'acme', { issuer } = front) =>
    barriers.isBelow(
      {
        ...{ issuer, tenant, issuedAtSeconds, ids: { tenant, client: 'agent', subject: 'max' } },
        epochs: { tenant: 1, client: 1, connection: 1, subject: 1, grant: 1 },
      },
      1001,
    )
  expect([isDead(999), isDead(1000), isDead(1001)]).toEqual([true, true, false])
  expect([isDead(1000, 'globex'), isDead(1000, 'acme', acme)]).toEqual([false, false])
})

test.each<{ what: string; snapshot: unknown }>([
  { what: 'a floor that is no time', snapshot: { acme: { floor: { soon: ['*'] } } } },
  { what: 'a floor before all time', snapshot: { acme: { floor: { 0: ['*'] } } } },
  { what: 'a floor of a tenant for whom the issuer does not speak', snapshot: { globex: { floor: { 1000: ['*'] } } } },
  { what: 'a floor without ids', snapshot: { acme: { floor: { 1000: '*' } } } },
  { what: 'a kind of target that nobody knows', snapshot: { acme: { ceiling: { 1000: ['*'] } } } },
  { what: 'nothing', snapshot: undefined },
])('nothing of a snapshot is left out: $what is malformed', ({ snapshot }) => {
  expect(readSnapshot(acme, snapshot, [])).toBeUndefined()
})
