import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effectOfSignal, isOfStream, signalEventNames } from './signal-effects.js'

const caep = 'https://schemas.openid.net/secevent/caep/event-type'
const risc = 'https://schemas.openid.net/secevent/risc/event-type'
const ssf = 'https://schemas.openid.net/secevent/ssf/event-type'

const table: readonly (readonly [type: string, event: Readonly<Record<string, unknown>>, takes: string, alarms?: true])[] = [
  [`${caep}/session-revoked`, {}, 'barrier'],
  [`${caep}/credential-change`, { credential_type: 'ALL_FACTORS', change_type: 'revoke' }, 'barrier'],
  [`${caep}/credential-change`, { credential_type: 'password', change_type: 'create' }, 'barrier'],
  [`${caep}/token-claims-change`, { claims: { role: 'none' } }, 'barrier'],
  [`${caep}/assurance-level-change`, { change_direction: 'decrease' }, 'barrier'],
  [`${caep}/assurance-level-change`, { current_level: 'nist-aal1' }, 'barrier'],
  [`${caep}/assurance-level-change`, { change_direction: 'INCREASE' }, 'barrier'],
  [`${caep}/assurance-level-change`, { change_direction: 'increase' }, 'nothing'],
  [`${caep}/device-compliance-change`, { current_status: 'not-compliant' }, 'barrier'],
  [`${caep}/device-compliance-change`, {}, 'barrier'],
  [`${caep}/device-compliance-change`, { current_status: 'compliant' }, 'nothing'],
  [`${caep}/session-established`, {}, 'nothing'],
  [`${caep}/session-presented`, {}, 'nothing'],
  [`${caep}/risk-level-change`, { current_level: 'HIGH' }, 'nothing'],
  [`${risc}/account-disabled`, { reason: 'hijacking' }, 'deactivation'],
  [`${risc}/account-purged`, {}, 'deactivation'],
  [`${risc}/account-credential-change-required`, {}, 'barrier'],
  [`${risc}/credential-compromise`, {}, 'barrier'],
  [`${risc}/sessions-revoked`, {}, 'barrier'],
  [`${risc}/identifier-changed`, { 'new-value': 'eve@acme.example' }, 'barrier', true],
  [`${risc}/identifier-recycled`, {}, 'barrier', true],
  [`${risc}/account-enabled`, {}, 'nothing'],
  [`${risc}/opt-in`, {}, 'nothing'],
  [`${risc}/opt-out-initiated`, {}, 'nothing'],
  [`${risc}/opt-out-cancelled`, {}, 'nothing'],
  [`${risc}/opt-out-effective`, {}, 'nothing'],
  [`${risc}/recovery-activated`, {}, 'nothing'],
  [`${risc}/recovery-information-changed`, {}, 'nothing'],
  [`${ssf}/verification`, { state: 'x' }, 'nothing'],
  [`${ssf}/stream-updated`, { status: 'enabled' }, 'nothing'],
  [`${ssf}/stream-updated`, { status: 'paused' }, 'nothing', true],
  [`${ssf}/stream-updated`, {}, 'nothing', true],
]

describe('what a signal does', () => {
  test.each(table.map(([type, event, takes, alarms]) => ({ type, event, takes, alarms })))(
    '$type $event: $takes',
    ({ type, event, takes, alarms }) => {
      const name = type.slice(type.lastIndexOf('/') + 1)
      expect(effectOfSignal(type, event)).toEqual({ name, takes, ...(alarms && { alarms }) })
    },
  )
  test('every event of the table of rules is in this one', () => {
    expect(new Set(table.map(([type]) => type.slice(type.lastIndexOf('/') + 1)))).toEqual(new Set(signalEventNames))
  })
  test.each([
    '',
    'session-revoked',
    `${caep}/other`,
    `${caep}/`,
    'constructor',
    '__proto__',
    'http://schemas.openid.net/event/backchannel-logout',
  ])('of an event %j nothing is known', (type) => {
    expect(effectOfSignal(type, {})).toBeUndefined()
  })
  test('whatever an event says, it takes away or does nothing', () => {
    const type = fc.constantFrom(...table.map(([known]) => known))
    fc.assert(
      fc.property(type, fc.dictionary(fc.string(), fc.jsonValue()), (known, event) => {
        expect(['barrier', 'deactivation', 'nothing']).toContain(effectOfSignal(known, event)?.takes)
      }),
    )
  })
  test('only the framework’s own events name a stream', () => {
    expect(table.filter(([type]) => isOfStream(type)).map(([type]) => type.split('/').pop())).toEqual([
      ...['verification', 'stream-updated', 'stream-updated', 'stream-updated'],
    ])
  })
})
