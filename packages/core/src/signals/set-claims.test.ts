import { expect, test } from 'vitest'
import { type Revoked, streamUpdatedClaims, subjectOfRevocation, verificationClaims } from './set-claims.js'

const of = (over: Partial<Revoked>): Revoked => ({
  issuer: 'https://a.example/t/acme',
  tenantSlug: 'acme',
  target: 'subject',
  targetId: 'id',
  ...over,
})
const user = { format: 'iss_sub', iss: 'https://a.example/t/acme', sub: 'ada' }
const tenant = { format: 'opaque', id: 'acme' }
const grant = { subject: 'ada', session: 'sid' }

test.each<{ what: string; revoked: Partial<Revoked>; named: unknown }>([
  { what: 'a person', revoked: { targetId: 'ada' }, named: user },
  {
    what: 'one grant, by the gid of its tokens',
    revoked: { target: 'grant', targetId: 'gid', grant },
    named: { format: 'complex', user, session: { format: 'opaque', id: 'gid' }, tenant },
  },
  {
    what: 'a session that ended, by its sid',
    revoked: { target: 'grant', targetId: 'gid', grant, isSessionEnd: true },
    named: { format: 'complex', user, session: { format: 'opaque', id: 'sid' }, tenant },
  },
  {
    what: 'a grant of a session that ended, of which no session is known',
    revoked: { target: 'grant', targetId: 'gid', grant: { subject: 'ada', session: undefined }, isSessionEnd: true },
    named: { format: 'complex', user, session: { format: 'opaque', id: 'gid' }, tenant },
  },
  {
    what: 'a grant of nobody',
    revoked: { target: 'grant', targetId: 'gid', grant: { subject: undefined, session: undefined } },
    named: { format: 'complex', session: { format: 'opaque', id: 'gid' }, tenant },
  },
  { what: 'a client', revoked: { target: 'client' }, named: { format: 'complex', application: { format: 'opaque', id: 'id' }, tenant } },
  {
    what: 'a connection',
    revoked: { target: 'connection' },
    named: { format: 'complex', org_unit: { format: 'opaque', id: 'id' }, tenant },
  },
  { what: 'a tenant', revoked: { target: 'tenant' }, named: { format: 'complex', tenant } },
])('a revocation names $what', ({ revoked, named }) => {
  expect(subjectOfRevocation(of(revoked))).toEqual(named)
})

test('events of a stream name the stream, and say nothing that was not given', () => {
  const verification = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
  const updated = 'https://schemas.openid.net/secevent/ssf/event-type/stream-updated'
  const stream = { format: 'opaque', id: 'stream' }
  expect(verificationClaims('stream', 'a state')).toEqual({ sub_id: stream, events: { [verification]: { state: 'a state' } } })
  expect(verificationClaims('stream', undefined)).toEqual({ sub_id: stream, events: { [verification]: {} } })
  expect(streamUpdatedClaims('stream', 'disabled', 'why')).toEqual({
    sub_id: stream,
    events: { [updated]: { status: 'disabled', reason: 'why' } },
  })
  expect(streamUpdatedClaims('stream', 'paused', undefined)).toEqual({ sub_id: stream, events: { [updated]: { status: 'paused' } } })
})
