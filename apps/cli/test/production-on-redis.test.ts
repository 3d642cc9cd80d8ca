/** Production as it is run: a migration, two brokers and two workers with Redis, each a process of its own; what they bear, and how they end. */
import { callTool } from '@drawbridge/cli/demo-client'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner } from '@drawbridge/testkit/database'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Attempt, anAttempt, logIn, post, redeem, refreshAt, registerAt } from './a-client.js'
import { holdTables } from './a-held-table.js'
import { answers, aProcess, stackLine, statusOf, until } from './a-process.js'
import { eventually } from './a-product.js'
import { aProduction, issuer, type Part, type Production, publicUrl } from './a-production.js'
import { aSlowRequest, takesConnections } from './a-slow-request.js'
import { codeIn, describeRaces } from './races-at-brokers.js'

const onRedis = hasTool('redis-server') ? describe : describe.skip // npm brings no Redis; .ci/run installs and requires it

type Session = { readonly clientId: string; readonly accessToken: string; readonly refreshToken: string }

onRedis('two brokers and two workers as processes, queue on Redis', () => {
  let production: Production

  beforeAll(async () => {
    production = await aProduction()
  }, 180_000)
  afterAll(() => production?.stop(), 60_000)

  /** From an unknown client to tokens, every request at the broker whose turn it is. */
  async function signIn(person: string): Promise<Session> {
    const { issuerAt, mcpUrl } = production
    const clientId = await registerAt(issuerAt)
    const attempt = anAttempt({ issuer, clientId, resource: mcpUrl })
    const { page, seen } = await logIn(attempt, { name: person }, production.browser())
    expect(page.isStopped ? seen : page.text).toEqual(['notice', 'sign-in', 'consent'])
    const { status, json } = await redeem(attempt, page, issuerAt)
    expect({ status, json }).toMatchObject({ status: 200 })
    return { clientId, accessToken: String(json['access_token']), refreshToken: String(json['refresh_token']) }
  }
  const call = async (session: Session) => (await callTool(production.mcpUrl, session.accessToken)).status
  const refresh = (session: Session) => refreshAt(production.issuerAt, session.clientId, session.refreshToken)
  const kill = (clientId: string) => production.admin('POST', `/tenants/initech/clients/${clientId}/kill`, { reason: 'it misbehaves' })
  const undone = () => count('outbox WHERE done_at IS NULL')
  const count = async (what: string) =>
    (await asOwner<{ n: number }>(production.postgres.ownerUrl, `SELECT count(*)::int AS n FROM ${what}`))[0]?.n
  const isDead = (session: Session) => until(survivor('workers').process, async () => (await call(session)) === 401)
  const survivor = (kind: 'brokers' | 'workers'): Part => production[kind].at(-1) as Part

  describe('twenty at once, at both processes', () => {
    const introspect = async (at: string, token: string) => {
      const { id, secret } = production.credential
      const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
      return (await post(`${at}/introspect`, { token }, { authorization })).json['active']
    }
    const alone = { name: 'Worker', grantTypes: ['client_credentials'], scopeCeiling: ['documents:read'] }
    const registered = async (path: string, over: object) => {
      const { status, json } = await production.admin('POST', `${path}/clients`, { ...alone, ...over })
      expect({ status, json }).toMatchObject({ status: 201 })
      return String(json['clientId'])
    }
    const brokersAt = (path: string) => ({
      issuer: `${publicUrl}${path}`,
      at: production.brokers.map(({ port }) => `http://127.0.0.1:${port}${path}`),
      resource: production.mcpUrl,
      // At the front the short name of her company leads her there.
      signIn: async (attempt: Attempt) =>
        codeIn((await logIn(attempt, { name: 'ada', organisation: 'initech' }, production.browser())).page),
      admin: (method: string, of: string, body?: unknown) => production.admin(method, `/tenants/initech${of}`, body),
      isActive: introspect,
    })

    describe('at a company’s issuer', () => {
      describeRaces(() => ({
        ...brokersAt('/t/initech'),
        aMachine: async (over) => ({ id: await registered('/tenants/initech', over), says: {} }),
      }))
    })

    describe('at the front issuer', () => {
      describeRaces(() => ({
        ...brokersAt(''),
        aMachine: async (over) => {
          const id = await registered('/front-issuer', over)
          const atCompany = `/tenants/initech/front-clients/${id}`
          const access = [{ resource: production.mcpUrl, scopes: ['documents:read'] }]
          const known = await production.admin('POST', atCompany)
          const given = await production.admin('PUT', `${atCompany}/machine-access`, { access })
          expect([known.status, given.status]).toEqual([200, 200])
          return { id, says: { tenant: 'initech' } }
        },
      }))
    })
  })

  it('a login that wanders between the brokers ends in tokens that the tool and both brokers take', async () => {
    await production.simulator.provision('acme')
    const session = await signIn('ada')
    expect([...production.balancer.served().values()].every((served) => served > 3)).toBe(true)
    expect(await call(session)).toBe(200)
    for (const { port } of production.brokers)
      expect((await refreshAt(`http://127.0.0.1:${port}/t/initech`, session.clientId, session.refreshToken)).status).toBe(200)
  }, 180_000)

  it('the directory’s PATCH active=false reaches the guard, and both brokers refuse', async () => {
    const session = await signIn('lena')
    expect(await call(session)).toBe(200)
    expect(await production.simulator.deactivate('acme', 'lena')).toMatchObject({ isDone: true })
    await isDead(session)
    for (const { port } of production.brokers)
      expect(await refreshAt(`http://127.0.0.1:${port}/t/initech`, session.clientId, session.refreshToken)).toMatchObject({
        status: 400,
        json: { error: 'invalid_grant' },
      })
  }, 60_000)

  it('kill -9 of a broker and a worker in the middle of revocations loses none of them, and logins go on', async () => {
    const sessions = [await signIn('max'), await signIn('max'), await signIn('ada')]
    const before = await count('deprovisioning_events')
    const held = await holdTables(production.postgres.ownerUrl, ['grants'])
    const killed = await Promise.all(sessions.map(({ clientId }) => kill(clientId)))
    expect(killed.map(({ status }) => status)).toEqual(sessions.map(() => 200))
    // At least two: where one worker took all three, the third waits for a connection of its pool.
    await eventually(async () => (await held.waiting()) >= 2)
    const ends = await Promise.all([production.brokers[0], production.workers[0]].map((part) => part?.process.stop('SIGKILL')))
    expect(ends.map((end) => end?.signal)).toEqual(['SIGKILL', 'SIGKILL'])
    await held.release()
    for (const session of sessions) {
      await isDead(session)
      expect(await refresh(session)).toMatchObject({ status: 401, json: { error: 'invalid_client' } })
    }
    expect(await count('deprovisioning_events')).toBe((before ?? 0) + sessions.length)
    await until(survivor('workers').process, async () => (await undone()) === 0)
    expect(await call(await signIn('max'))).toBe(200)
  }, 150_000)

  it('at SIGTERM a broker still answers the request that it has begun, a worker ends its job, and both end with 0', async () => {
    const [going, ending] = [await signIn('ada'), await signIn('max')]
    const [broker, worker] = [survivor('brokers'), survivor('workers')]
    const held = await holdTables(production.postgres.ownerUrl, ['revocations'])
    expect((await kill(ending.clientId)).status).toBe(200)
    // What sweeps by the clock may wait, too.
    await eventually(async () => (await held.waiting()) >= 1)
    const begun = await aSlowRequest(`http://127.0.0.1:${broker.port}/t/initech/token`, {
      grant_type: 'refresh_token',
      refresh_token: going.refreshToken,
      client_id: going.clientId,
    })
    const ends = [broker.process.stop(), worker.process.stop()]
    // By a connection of its own each time: one that is kept alive would be served for some seconds more.
    await eventually(async () => !(await takesConnections(broker.port)))
    expect([broker, worker].map(({ process }) => process.child.exitCode)).toEqual([null, null])
    await held.release()
    expect(await begun.finish()).toMatchObject({ status: 200, json: { access_token: expect.any(String) } })
    for (const { code, signal, output } of await Promise.all(ends)) {
      expect({ code, signal }).toEqual({ code: 0, signal: null })
      expect(output).not.toMatch(/did not stop cleanly|Unhandled|an invariant broke/)
      expect(output).not.toMatch(stackLine)
    }
    // What follows the kill is another's job, when there is a worker again.
    expect(await count("outbox WHERE done_at IS NULL AND kind <> 'follow-kill'")).toBe(0)
  }, 90_000)

  it('a worker that has lost Redis says so, and ends when it is told to', async () => {
    const port = await freePort()
    const worker = aProcess(['worker'], { ...production.environment, DRAWBRIDGE_WORKER_PORT: String(port) })
    await answers(worker, `http://127.0.0.1:${port}/readyz`)
    await production.redis.stop()
    await until(worker, async () => (await statusOf(`http://127.0.0.1:${port}/readyz`)) === 503)
    expect(await worker.stop()).toMatchObject({ code: 0, signal: null })
  }, 90_000)
})
