/** A company whose connection hears a simulated transmitter, which shares no code with us: with ada, a stream, and our sealed credential for it. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { createFetchSafely, type FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { createSimulator } from '@drawbridge/simulator/simulator'
import type { Stream } from '@drawbridge/simulator/ssf/streams'
import { findSignalStream, putSignalStream, type StoredStream } from '@drawbridge/store/signal-streams'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner, testDatabase } from '@drawbridge/testkit/database'
import { type StreamCredential, textOfCredential } from '@drawbridge/upstream/signals/stream-credential'
import type { SsfTransmitter } from '@drawbridge/upstream/signals/transmitter'
import { createStreamMemory } from '../src/stream-memory.js'
import { aCompany, countOf, installationId, jobDeps, random, sealer } from './a-company.js'

export type Listening = {
  readonly delivery?: 'push' | 'poll'
  readonly credential?: StreamCredential
  /** Of no name: it was made at the transmitter by hand, and is not asked how it is. */
  readonly isNamed?: boolean
}

/** `fetches` takes the place of the network, and has it to go on with. */
export async function aListeningCompany(slug: string, fetches: (real: FetchSafely) => FetchSafely) {
  const fixture = await testDatabase()
  const company = await aCompany(fixture, slug)
  let [now, connectionId]: [Instant, ConnectionId] = [instant(Date.UTC(2026, 10, 23)), random.uuid() as ConnectionId]
  const simulator = createSimulator({ port: 0, now: () => new Date(now) })
  await simulator.start()
  const transmitter = () => simulator.signals('globex')
  const real = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
  const memory = createStreamMemory({ sealer, installationId })
  const deps = { ...jobDeps(fixture), clock: { now: () => now }, memory, fetchSafely: fetches(real) }
  const owner = <Row extends object>(sql: string, parameters: readonly unknown[] = []) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
  const seal = (text: Buffer): Buffer =>
    sealer.seal(text, {
      ...{ installation: installationId, tenant: company.tenant, table: 'signal_streams', column: 'sealed_credential', row: connectionId },
    })
  /** The only stream of the database, and of the transmitter: due at once. */
  const listen = async ({ delivery = 'poll', credential, isNamed = false }: Listening = {}): Promise<void> => {
    await owner('DELETE FROM signal_streams')
    const { streams, issuer, bearerToken } = transmitter()
    for (const id of streams.all.keys()) streams.remove(id)
    const stream = streams.create((id) => ({ method: 'urn:ietf:rfc:8936', endpoint_url: `${issuer}/ssf/poll/${id}` }), [])
    connectionId = random.uuid() as ConnectionId
    const at = [company.tenant, connectionId, new Date(now)]
    await owner(
      `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'Corporate', $4, $3)`,
      [...at, JSON.stringify({ issuer, clientId: 'drawbridge', ssf: { issuer, audience: stream.audience } })],
    )
    await owner(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       VALUES ($1, gen_random_uuid(), $2, 'globex-ada', '{}', $3, $3, $3)`,
      at,
    )
    const draft = {
      ...{ delivery, streamId: isNamed ? stream.id : undefined, nextCheckAt: isNamed ? now : undefined, now },
      ...{ pollUrl: delivery === 'poll' ? stream.delivery.endpoint_url : undefined, nextPollAt: delivery === 'poll' ? now : undefined },
      sealedCredential: seal(textOfCredential(credential ?? { bearerToken }, { issuer, configurationUrl: undefined })),
    }
    await inTenant(fixture.database, company.tenant, (db) => putSignalStream(db, company.tenant, connectionId, draft))
  }
  return {
    ...{ fixture, simulator, company, deps, transmitter, listen, owner, seal, real },
    now: () => now,
    /** Changes what the connection says of its transmitter. `isGiven`: our credential is given anew for what it says then. */
    configure: async (change: Record<string, unknown>, { isGiven = false } = {}): Promise<void> => {
      const [changed] = await owner<{ ssf: SsfTransmitter }>(
        `UPDATE connections SET configuration = jsonb_set(configuration, '{ssf}', (configuration -> 'ssf') || $2::jsonb) WHERE id = $1
         RETURNING configuration -> 'ssf' AS ssf`,
        [connectionId, JSON.stringify(change)],
      )
      if (changed === undefined || !isGiven) return
      const sealed = seal(textOfCredential({ bearerToken: transmitter().bearerToken }, changed.ssf))
      await owner('UPDATE signal_streams SET sealed_credential = $2 WHERE id = $1', [connectionId, sealed])
    },
    wait: (seconds: number): void => {
      now = addSeconds(now, seconds)
    },
    connectionId: () => connectionId,
    theStream: () => [...transmitter().streams.all.values()][0] as Stream,
    stored: async () =>
      (await inTenant(fixture.database, company.tenant, (db) => findSignalStream(db, company.tenant, connectionId))) as StoredStream,
    ada: async () =>
      (
        await owner<{ epoch: number; gone: boolean }>(
          `SELECT epoch, deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND connection_id = $2`,
          [company.tenant, connectionId],
        )
      )[0],
    audits: (kind: string) => countOf(fixture, 'audit_events WHERE connection_id = $1 AND kind = $2', [connectionId, kind]),
    close: async () => {
      await simulator.close()
      await fixture.close()
    },
  }
}
