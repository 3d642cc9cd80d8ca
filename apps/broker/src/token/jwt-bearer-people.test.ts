/** By an assertion comes in whom a login would let in, as policy decides on it, and what ends her ends what it opened. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type AnAssertionCompany, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let acme: AnAssertionCompany
/** Another process of the same installation. */
let other: TestBroker
let trust: string

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await anAssertionCompany(fixture)
  other = await aBroker(fixture.database, { clock: { now: () => acme.now() }, fetchSafely: acme.broker.deps.fetchSafely })
})
beforeEach(async () => {
  trust = await acme.begin()
})
afterAll(async () => {
  await other.close()
  await acme.broker.close()
  await fixture.close()
})

const grants = () => acme.owner('SELECT id FROM grants WHERE tenant_id = $1')
const subjects = () =>
  acme.owner(`SELECT stable_id, connection_id FROM subjects WHERE tenant_id = $1 AND stable_id <> 'ada' OR connection_id = $2`, trust)
/** What was answered, and by which reason. */
const told = async (text: string, form: Record<string, string> = {}) => {
  acme.told.take()
  const { status, body } = await acme.redeem(text, form)
  return { status, error: body.error, reason: acme.told.take()[0] }
}

describe('who may come in', () => {
  const deactivated = () =>
    acme.owner('UPDATE subjects SET deactivated_at = now(), epoch = epoch + 1 WHERE tenant_id = $1 AND connection_id = $2', trust)

  it('is decided as at a login: nobody who is deactivated', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    await deactivated()
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    expect(await told(await acme.assertion())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_subject_refused' })
    expect((await acme.audited()).at(-1)).toMatchObject({ kind: 'assertion_refused', reason: 'subject_deactivated' })
  })

  it('nobody new, where only the directory makes people', async () => {
    await acme.owner(`UPDATE tenants SET provisioning_mode = 'scim_only' WHERE id = $1`)
    expect(await told(await acme.assertion())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_subject_refused' })
    expect(await subjects()).toEqual([])
    expect((await acme.audited()).at(-1)).toMatchObject({ reason: 'directory_missing', subject_id: null })
  })

  it('nobody new by any name of somebody who is out, at whichever connection', async () => {
    await acme.owner(`UPDATE subjects SET deactivated_at = now() WHERE tenant_id = $1 AND stable_id = 'ada'`)
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_subject_refused' })
    expect((await acme.audited()).at(-1)).toMatchObject({ reason: 'subject_tombstone' })
  })

  it('nobody whom the mapping cannot name', async () => {
    trust = await acme.begin({ stableIdAttribute: 'oid' })
    expect(await told(await acme.assertion())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_identity_unusable' })
    expect((await acme.redeem(await acme.assertion({ oid: 'ada-7' }))).status).toBe(200)
    expect(await subjects()).toEqual([{ stable_id: 'ada-7', connection_id: trust }])
  })

  it('nobody on evidence of before a barrier', async () => {
    const old = await acme.assertion()
    await acme.redeem(await acme.assertion())
    acme.wait(2)
    await acme.owner(
      'UPDATE subjects SET epoch = epoch + 1, barrier_at = $3 WHERE tenant_id = $1 AND connection_id = $2',
      trust,
      new Date(acme.now()),
    )
    expect(await told(old)).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_below_barrier' })
    acme.wait(2)
    // Made after it, of a sign-in before it: the issuer is to ask her again.
    expect(await told(await acme.assertion())).toEqual({
      status: 400,
      error: 'insufficient_user_authentication',
      reason: 'assertion_authentication_insufficient',
    })
    expect((await acme.redeem(await acme.assertion({ auth_time: acme.seconds() }))).status).toBe(200)
  })

  it('whoever the issuer vouches for after a barrier, where the admin says that this proves a sign-in', async () => {
    trust = await acme.begin({ freshnessEvidence: 'issued_at' })
    await acme.redeem(await acme.assertion({ auth_time: undefined }))
    await acme.owner(
      'UPDATE subjects SET epoch = epoch + 1, barrier_at = $3 WHERE tenant_id = $1 AND connection_id = $2',
      trust,
      new Date(acme.now()),
    )
    acme.wait(2)
    expect((await acme.redeem(await acme.assertion({ auth_time: undefined }))).status).toBe(200)
  })
})

describe('a kill of the trust', () => {
  it('ends what it opened, and nothing is accepted of it before or after', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    const old = await acme.assertion()
    acme.wait(1)
    await acme.owner(
      'UPDATE connections SET epoch = epoch + 1, barrier_at = $3, disabled_at = $3 WHERE tenant_id = $1 AND id = $2',
      trust,
      new Date(acme.now()),
    )
    acme.wait(1)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_issuer_unknown' })
    await acme.owner('UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2', trust)
    acme.broker.deps.configuration.invalidate()
    expect(await told(old)).toMatchObject({ status: 400, reason: 'assertion_below_barrier' })
    expect((await acme.redeem(await acme.assertion({ auth_time: acme.seconds() }))).status).toBe(200)
  })

  it('that another process has not heard of is found in the statement', async () => {
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).status).toBe(200)
    await acme.owner('UPDATE connections SET disabled_at = now() WHERE tenant_id = $1 AND id = $2', trust)
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).body.error).toBe('invalid_grant')
    await acme.owner('UPDATE tenants SET suspended_at = now() WHERE id = $1')
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).status).toBe(400)
  })
})

describe('policy decides', () => {
  const policy = (more: string) => `version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\n${more}`

  it('on what the assertion says, as on a login', async () => {
    expect(await told(await acme.assertion({ groups: [] }))).toEqual({
      status: 400,
      error: 'invalid_grant',
      reason: 'assertion_policy_denies',
    })
    expect(await grants()).toEqual([])
    // Somebody of whom policy wants nothing is nobody here.
    expect(await subjects()).toEqual([])
  })

  it.each([
    { what: 'a second factor that is not shown', claims: { amr: ['pwd'] } },
    { what: 'a second factor of which nothing is said', claims: { amr: undefined } },
  ])('on $what', async ({ claims }) => {
    await acme.publish(policy('mfa: [{name: strong, strength: multi_factor}]\n'))
    expect(await told(await acme.assertion(claims))).toEqual({
      status: 400,
      error: 'insufficient_user_authentication',
      reason: 'assertion_authentication_insufficient',
    })
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
  })

  it('and where it wants her own word, sends her to where she can give it', async () => {
    await acme.owner(
      `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'refund', 'Refund', 'sensitive', false)`,
      acme.tenant().resourceId,
    )
    await acme.publish('version: 1\nrules: [{name: staff, effect: grant, scopes: [read, refund], groups: [staff]}]\n')
    const refused = { status: 400, error: 'invalid_grant', reason: 'assertion_consent_needed' }
    expect(await told(await acme.assertion({ scope: 'read refund' }))).toEqual(refused)
    expect((await acme.redeem(await acme.assertion({ scope: 'read refund' }), { scope: 'read' })).body['scope']).toBe('read')
  })

  it('and who says less than before has lost it everywhere', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    acme.wait(1)
    expect(await told(await acme.assertion({ groups: [] }))).toMatchObject({ reason: 'assertion_policy_denies' })
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
  })

  it('anew, where it was published elsewhere meanwhile', async () => {
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).body['scope']).toBe('read write')
    await acme.publish('version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\n')
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).body['scope']).toBe('read')
  })
})

describe('where a directory decides', () => {
  const withDirectory = async (groups: readonly string[]) => {
    trust = await acme.begin({ scimLinkKey: { attribute: 'sub', scim: 'userName' } })
    const directory = { ...acme.tenant(), connectionId: trust as ConnectionId }
    const ada = await aScimUser(fixture, directory, 'Ada', { externalId: '7' })
    await aScimGroup(fixture, directory, 'somebody else\u2019s', { users: [] })
    for (const group of groups) await aScimGroup(fixture, directory, group, { users: [ada] })
    await acme.owner(`UPDATE tenants SET provisioning_mode = 'scim_only' WHERE id = $1`)
    return ada
  }

  it('its groups count and not those of the assertion, in a second look that consumes nothing before', async () => {
    const ada = await withDirectory(['staff'])
    const { status, body } = await acme.redeem(await acme.assertion({ groups: [] }))
    expect([status, body['scope']]).toEqual([200, 'read write'])
    expect(await acme.owner('SELECT scim_user_id FROM subjects WHERE tenant_id = $1 AND connection_id = $2', trust)).toEqual([
      { scim_user_id: ada },
    ])
    expect((await acme.redeem(await acme.assertion({ groups: [] }))).status).toBe(200)
  })

  it('nobody is granted anything by groups that she says she has', async () => {
    await withDirectory([])
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_policy_denies' })
  })

  it('whom it has switched off, or does not know, stays out', async () => {
    const ada = await withDirectory(['staff'])
    expect(await told(await acme.assertion({ sub: 'grace', email: undefined }))).toMatchObject({ reason: 'assertion_subject_refused' })
    await acme.owner('UPDATE scim_users SET active = false WHERE tenant_id = $1 AND id = $2', ada)
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_subject_refused' })
  })

  it('a person whose factors an admin has reset is decided on as such', async () => {
    await acme.redeem(await acme.assertion())
    await acme.owner('UPDATE subjects SET factors_reset_at = $3 WHERE tenant_id = $1 AND connection_id = $2', trust, new Date(acme.now()))
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
  })
})

describe('a trust in the people of a login connection', () => {
  const staff =
    'version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}, {name: admins, effect: grant, scopes: [admin], groups: [admins]}]\n'
  const withoutContractors =
    'version: 1\nrules: [{name: all, effect: grant, scopes: [read, write], everyone: true}, {name: contractors, effect: deny, scopes: [read, write], groups: [contractors]}]\n'
  let connectionId: ConnectionId
  beforeEach(async () => {
    connectionId = acme.tenant().connectionId
    await acme.owner(
      'UPDATE connections SET configuration = configuration || $3 WHERE tenant_id = $1 AND id = $2',
      trust,
      JSON.stringify({ peopleOf: { connection: connectionId, key: 'sub' } }),
    )
    acme.broker.deps.configuration.invalidate()
    await herLoginsSay(['staff'])
  })
  const herLoginsSay = async (groups: readonly string[]) => {
    const claims = {
      ...{ connectionId, stableId: 'ada', subjectId: null, claims: [], groups: { state: 'known', value: groups }, sessionExpiresAt: null },
      authentication: { acr: null, amr: ['pwd'], authenticatedAt: null },
      idpSession: { sessionIndex: null, nameId: null, sid: null },
    }
    await acme.owner(
      'UPDATE subjects SET claims = $3, claims_version = claims_version + 1 WHERE tenant_id = $1 AND id = $2',
      acme.tenant().subjectId,
      JSON.stringify(claims),
    )
  }

  it('names them there: the same person by either way, with her claims as her logins say them', async () => {
    const { subjectId } = acme.tenant()
    const before = await acme.owner('SELECT claims, scim_user_id FROM subjects WHERE tenant_id = $1 AND id = $2', subjectId)
    const { status, body } = await acme.redeem(await acme.assertion({ groups: ['admins'] }))
    expect(status).toBe(200)
    expect(decodeJwt(body.access_token ?? '').sub).toBe(subjectId)
    expect(await acme.owner('SELECT claims, scim_user_id FROM subjects WHERE tenant_id = $1 AND id = $2', subjectId)).toEqual(before)
    // What ends her there ends this, too.
    await acme.owner('UPDATE subjects SET deactivated_at = now(), epoch = epoch + 1 WHERE tenant_id = $1 AND id = $2', subjectId)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
  })

  it('gives by no group that only the assertion says, and what her logins say by none that it leaves out', async () => {
    await acme.publish(staff)
    await herLoginsSay([])
    expect(await told(await acme.assertion({ groups: ['staff', 'admins'] }))).toMatchObject({
      status: 400,
      reason: 'assertion_policy_denies',
    })
    await herLoginsSay(['staff'])
    expect((await acme.redeem(await acme.assertion({ groups: undefined }))).body['scope']).toBe('read write')
  })

  it('evades no rule that denies a group of hers by saying nothing of it', async () => {
    await acme.publish(withoutContractors)
    expect((await acme.redeem(await acme.assertion({ groups: undefined }))).status).toBe(200)
    await herLoginsSay(['contractors'])
    expect(await told(await acme.assertion({ groups: undefined }))).toMatchObject({ status: 400, reason: 'assertion_policy_denies' })
    expect(await told(await acme.assertion({ groups: ['staff'] }))).toMatchObject({ status: 400, reason: 'assertion_policy_denies' })
  })

  it('is of that connection to every rule that names one, and proves herself by the trust', async () => {
    const rule = (when: string) =>
      `version: 1\nrules: [{name: all, effect: grant, scopes: [read, write], everyone: true}, {name: some, effect: deny, scopes: [read, write], when: "${when}"}]\n`
    const denied = async (when: string) => {
      await acme.publish(rule(when))
      return (await told(await acme.assertion())).reason === 'assertion_policy_denies'
    }
    expect([await denied(`subject.connection == '${connectionId}'`), await denied(`subject.connection == '${trust}'`)]).toEqual([
      true,
      false,
    ])
    expect([await denied(`auth.connection == '${connectionId}'`), await denied(`auth.connection == '${trust}'`)]).toEqual([false, true])
  })

  it('makes nobody: who has never signed in there is unknown', async () => {
    const before = await acme.owner('SELECT count(*)::int AS count FROM subjects WHERE tenant_id = $1')
    expect(await told(await acme.assertion({ sub: 'grace' }))).toEqual({
      status: 400,
      error: 'invalid_grant',
      reason: 'assertion_subject_refused',
    })
    expect(await acme.owner('SELECT count(*)::int AS count FROM subjects WHERE tenant_id = $1')).toEqual(before)
    expect((await acme.audited()).at(-1)).toMatchObject({ kind: 'assertion_refused', reason: 'person_unknown' })
  })

  it('says nothing of whom her logins say nothing that can be read', async () => {
    await acme.owner(
      `UPDATE subjects SET claims = '{}', claims_version = claims_version + 1 WHERE tenant_id = $1 AND id = $2`,
      acme.tenant().subjectId,
    )
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_identity_unusable' })
  })

  it('ends with that connection, and is off while that is', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    const killed = await acme.kill(connectionId)
    expect(killed).toBe(200)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    acme.wait(2)
    expect(await told(await acme.assertion({ auth_time: acme.seconds() }))).toMatchObject({ reason: 'assertion_issuer_unknown' })
  })
})
