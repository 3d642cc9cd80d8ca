/** What it costs a guard to know a hundred thousand revocations: memory, the snapshot that tells them, and asking whether a token is dead. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createBarriers } from '@drawbridge/guard/barriers'
import { readSnapshot } from '@drawbridge/guard/snapshot'
import { trustIssuer } from '@drawbridge/guard/trusted-issuer'

const keepSeconds = 3600
const asks = 200_000

export type GuardMemory = {
  readonly revocations: number
  readonly heapBytes: number
  readonly snapshotBytes: number
  readonly takenInMs: number
  readonly askNanoseconds: number
}

/** The garbage collector by hand, until it finds nothing more: what is left is what is held. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let before = Number.POSITIVE_INFINITY; process.memoryUsage().heapUsed < before; collect()) before = process.memoryUsage().heapUsed
  return process.memoryUsage().heapUsed
}

const snapshotOf = (revocations: number): string =>
  JSON.stringify({ acme: { subject: { 2: Array.from({ length: revocations }, () => crypto.randomUUID()) } } })

export function measureGuardMemory(revocations: number): GuardMemory {
  const now = Math.floor(Date.now() / 1000)
  const issuer = 'https://id.vendor.example/t/acme'
  const trusted = trustIssuer({ issuer, credential: { id: 'id', secret: 'secret' } }, fetch)
  const snapshot = snapshotOf(revocations)
  const before = heapInUse()
  const barriers = createBarriers({ maxEntries: 100_000, keepSeconds })
  const cpu = process.cpuUsage()
  for (const told of readSnapshot(trusted, JSON.parse(snapshot), []) ?? []) if ('barrier' in told) barriers.raise(told.barrier, now)
  const took = process.cpuUsage(cpu)
  const heapBytes = heapInUse() - before
  const alive = {
    issuer,
    tenant: 'acme',
    issuedAtSeconds: now,
    ids: { tenant: 'acme', client: 'https://agent.example/client', subject: crypto.randomUUID(), grant: crypto.randomUUID() },
    epochs: { tenant: 1, client: 1, connection: 1, subject: 1, grant: 1 },
  }
  for (let ask = 0; ask < asks; ask += 1) barriers.isBelow(alive, now)
  const asking = process.cpuUsage()
  for (let ask = 0; ask < asks; ask += 1) if (barriers.isBelow(alive, now)) throw new Error('a living token was called dead')
  const asked = process.cpuUsage(asking)
  if (barriers.size() !== revocations) throw new Error(`${barriers.size()} of ${revocations} are held`)
  return {
    revocations,
    heapBytes,
    snapshotBytes: Buffer.byteLength(snapshot),
    takenInMs: (took.user + took.system) / 1000,
    askNanoseconds: ((asked.user + asked.system) * 1000) / asks,
  }
}
