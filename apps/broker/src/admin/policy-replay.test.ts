/** Replay over HTTP: of real logins, under a text and under a version; and how it ends when it takes too long. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { compilePolicy } from '@drawbridge/core/policy/compile'
import { replayLimits } from '@drawbridge/core/policy/replay'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, aCompanyPolicy, anAuthorizeUrl, anIdp, aPlainBrowser } from '@drawbridge/testkit/a-login'
import { aRecordedLogin } from '@drawbridge/testkit/a-recorded-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { replayLogins } from './replay-logins.js'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let call: Call

const people = [
  { sub: 'ada', groups: ['staff', 'finance'] },
  { sub: 'ben', groups: ['staff'] },
  { sub: 'cleo', groups: ['contractors'] },
]
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  await aCompany(fixture, 'globex', now)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
  await call('PUT', '/tenants/acme/login-recording', { recordLogins: true })
  for (const { sub, groups } of people) {
    idp.says = { sub, groups, amr: ['pwd'] }
    now = addSeconds(now, 1)
    const browser = aPlainBrowser({ issuer, url: broker.url })
    await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme, { scope: 'read write' })), acme.connectionId)
  }
  await broker.deps.logins.settled()
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
const issuer = 'http://localhost:4400/t/acme'
const replay = async (policy: unknown, logins?: number) => (await call('POST', '/tenants/acme/policies/replay', { policy, logins })).body
const draft = `version: 1
rules:
  - {name: staff, effect: grant, scopes: [read], groups: [staff, contractors]}
  - {name: finance, effect: deny, scopes: [read], groups: [finance]}
`

describe('a replay', () => {
  it('says who would gain and who would lose, by which rule, the worst off first', async () => {
    const report = await replay({ document: draft })
    expect(report).toMatchObject({
      recordsLogins: true,
      complete: true,
      unreadable: 0,
      all: { logins: 3, people: 3 },
      changed: { logins: 3, people: 3 },
      effects: {
        shutOut: { logins: 1, people: 1 },
        loses: { logins: 2, people: 2 },
        letIn: { logins: 1 },
        asked: { logins: 0, people: 0 },
      },
      newest: new Date(now).toISOString(),
      oldest: new Date(addSeconds(now, -2)).toISOString(),
    })
    expect(report.people.map(({ stableId, effects }: { stableId: string; effects: string[] }) => [stableId, effects])).toEqual([
      ['ada', ['shutOut', 'loses']],
      ['ben', ['loses', 'livesLonger']],
      ['cleo', ['letIn', 'gains']],
    ])
    expect(report.people[0].changes).toEqual([
      expect.objectContaining({
        clientId: acme.clientId,
        logins: 1,
        outcome: { from: 'allow', to: 'deny' },
        lost: [
          { scope: 'read', because: 'denied by rule finance (line 4)' },
          { scope: 'write', because: 'no rule grants it' },
        ],
        granted: { from: ['read', 'write'], to: [] },
        accessTokenSeconds: null,
      }),
    ])
    expect(report.people[1].changes[0]).toMatchObject({ accessTokenSeconds: { from: 900, to: 1800 }, missing: null })
    expect(report.people[2].changes[0]).toMatchObject({ gained: [{ scope: 'read', because: 'granted by rule staff (line 3)' }] })
  })

  it('says who would be asked for a second factor', async () => {
    const report = await replay({ document: `${aCompanyPolicy(['read', 'write'])}mfa: [{scopes: [write], groups: [finance]}]\n` })
    expect(report).toMatchObject({ changed: { logins: 1, people: 1 }, effects: { asked: { people: 1 }, loses: { people: 0 } } })
    expect(report.people[0]).toMatchObject({ stableId: 'ada', changes: [{ outcome: { from: 'allow', to: 'stepUp' } }] })
    expect(report.people[0].changes[0].missing).toContain('factor')
  })

  it('of the policy that holds changes nothing; of the safe default shuts everybody out', async () => {
    expect(await replay({ version: 1 })).toMatchObject({ presentVersion: 1, changed: { logins: 0, people: 0 }, people: [] })
    expect(await replay({ version: 0 })).toMatchObject({ effects: { shutOut: { people: 2 } } })
  })

  it('looks at as many as it is told, the newest first', async () => {
    expect(await replay({ document: draft }, 1)).toMatchObject({ all: { logins: 1 }, people: [{ stableId: 'cleo' }] })
  })

  it('stands in the trail, without the policy and without people', async () => {
    await replay({ document: draft })
    const [event] = (await call('GET', '/tenants/acme/audit-events')).body.auditEvents
    expect(event).toMatchObject({ kind: 'policy.replayed', detail: { ofText: true, logins: 3, changed: 3 } })
    expect(JSON.stringify(event)).not.toMatch(/finance|cleo/)
  })

  it('counts what it cannot read, and sees nothing of another tenant', async () => {
    const id = await aRecordedLogin(fixture, acme)
    expect(await replay({ version: 1 })).toMatchObject({ unreadable: 1, all: { logins: 3 } })
    await asOwner(fixture.ownerUrl, 'DELETE FROM recorded_logins WHERE id = $1', [id])
    const other = (await call('POST', '/tenants/globex/policies/replay', { policy: { version: 0 } })).body
    expect(other).toMatchObject({ recordsLogins: false, all: { logins: 0, people: 0 }, newest: null, oldest: null })
  })

  it.each([
    ['no policy', {}, 400, 'body_invalid'],
    ['two policies', { policy: { document: draft, version: 1 } }, 400, 'body_invalid'],
    ['more logins than the limit', { policy: { version: 0 }, logins: replayLimits.logins + 1 }, 400, 'body_invalid'],
    ['a version that there is not', { policy: { version: 99 } }, 404, 'not_found'],
    ['a policy that does not compile', { policy: { document: 'version: 1\nrules: [{name: x}]\n' } }, 400, 'policy_invalid'],
  ])('of %s is refused', async (_, body, status, reason) => {
    const answered = await call('POST', '/tenants/acme/policies/replay', body)
    expect([answered.status, answered.body.type]).toEqual([status, `urn:drawbridge:error:${reason}`])
  })

  it('of a draft is of the draft as it is now', async () => {
    const { id } = (await call('POST', '/tenants/acme/policy-drafts', { document: draft })).body
    expect(await replay({ draft: id })).toMatchObject({ changed: { logins: 3, people: 3 } })
  })

  it('is one at a time of a tenant', async () => {
    const held = holdPages(fixture.database)
    const other = await aBroker(held.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
    const ask = anAdmin(other)
    const first = ask('POST', '/tenants/acme/policies/replay', { policy: { document: draft } })
    await held.reached
    const second = await ask('POST', '/tenants/acme/policies/replay', { policy: { document: draft } })
    expect([second.status, second.body.type]).toEqual([409, 'urn:drawbridge:error:replay_running'])
    held.release()
    expect((await first).status).toBe(200)
    expect((await ask('POST', '/tenants/acme/policies/replay', { policy: { document: draft } })).status).toBe(200)
    await other.close()
  })
})

describe('a dry run on a recorded login', () => {
  it('says of each scope by which rule and with which values, and stands in the trail', async () => {
    const [ada] = (await call('GET', '/tenants/acme/recorded-logins')).body.recordedLogins.slice(-1)
    const document = 'version: 1\nrules: [{name: her, effect: grant, scopes: [read], when: \'subject.stableId == "ada"\'}]\n'
    const { status, body } = await call('POST', `/tenants/acme/recorded-logins/${ada.id}/dry-run`, { policy: { document } })
    expect(status).toBe(200)
    expect(body).toMatchObject({ outcome: 'allow', granted: ['read'], at: ada.at })
    expect(JSON.stringify(body)).toContain('"variable":"subject.stableId","value":"ada"')
    const [event] = (await call('GET', '/tenants/acme/audit-events')).body.auditEvents
    expect(event).toMatchObject({ kind: 'recorded_login.read', detail: { login: ada.id } })
    expect((await call('POST', `/tenants/acme/recorded-logins/${ada.id}/dry-run`, {})).body).toMatchObject({ granted: ['read', 'write'] })
    expect((await call('POST', `/tenants/globex/recorded-logins/${ada.id}/dry-run`, {})).status).toBe(404)
  })
})

describe('a replay that takes long', () => {
  const stored = (n: number) => ({ id: `${n}`, at: n }) as never
  const policy = () => {
    const compiled = compilePolicy('version: 1\n')
    if (!compiled.ok) throw new Error('it compiles')
    return compiled.value
  }
  const replaying = (step: number) => {
    let [elapsed, turns, read] = [0, 0, 0]
    const done = replayLogins({
      present: policy(),
      other: policy(),
      most: 250,
      readPage: async (_after, limit) => Array.from({ length: limit }, () => stored((read += 1))),
      open: () => undefined,
      elapsed: () => (elapsed += step),
      nextTurn: async () => {
        turns += 1
      },
    })
    return done.then((result) => ({ ...result, turns, read }))
  }

  it('lets others have their turn', async () => {
    const { turns, isComplete, unreadable } = await replaying(replayLimits.stretchMilliseconds)
    expect([turns, isComplete, unreadable]).toEqual([250, true, 250])
  })

  it('that is quick gives no turn away', async () => {
    expect(await replaying(0)).toMatchObject({ turns: 0, isComplete: true, read: 250, newest: 1, oldest: 250 })
  })

  it('ends after its time, and says so', async () => {
    const { isComplete, unreadable } = await replaying(replayLimits.milliseconds / 4)
    expect([isComplete, unreadable < 5]).toEqual([false, true])
  })
})

/** A database that gives no page of recorded logins until it is told to. */
function holdPages(database: TestDatabase['database']) {
  let [release, reach] = [() => {}, () => {}]
  const released = new Promise<void>((resolve) => (release = resolve))
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const tenantPool = new Proxy(database.tenantPool, {
    get: (pool, property) =>
      property !== 'connect'
        ? Reflect.get(pool, property)
        : async () => {
            const client = await pool.connect()
            const query = client.query.bind(client) as (asked: unknown, values?: unknown[]) => Promise<unknown>
            client.query = (async (asked: string | { text: string }, values?: unknown[]) => {
              if ((typeof asked === 'string' ? asked : asked.text).includes('FROM recorded_logins')) {
                reach()
                await released
              }
              return query(asked, values)
            }) as never
            return client
          },
  })
  return { database: { ...database, tenantPool }, reached, release }
}
