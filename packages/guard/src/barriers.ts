/**
 * The barriers that this instance knows: for each target the lowest epoch that is still alive.
 *
 * Bounded and expiring. An entry may be forgotten once every token made before it has expired by itself. When there are too many
 * entries the oldest are folded into a floor in time: whatever the issuer issued until then is refused, so that forgetting can refuse
 * too much but never too little.
 */
export type BarrierTarget = 'tenant' | 'client' | 'connection' | 'subject' | 'grant'
export const barrierTargets: readonly BarrierTarget[] = ['tenant', 'client', 'connection', 'subject', 'grant']

/** Everything of `target` that was made below `epoch` is dead. */
export type Barrier = { readonly issuer: string; readonly target: BarrierTarget; readonly targetId: string; readonly epoch: number }

export type TokenEpochs = Readonly<Record<BarrierTarget, number>>
/** What a token says about its making. `ids` names the targets that the token tells; a grant or a connection may be absent. */
export type TokenMaking = {
  readonly issuer: string
  readonly issuedAtSeconds: number
  readonly ids: Readonly<Partial<Record<BarrierTarget, string>>>
  readonly epochs: TokenEpochs
}

export type BarrierLimits = { readonly maxEntries: number; readonly keepSeconds: number }

/** A barrier is told a little after it was raised, and clocks differ: the floor reaches this far beyond the time of receipt. */
export const floorMarginSeconds = 60

type Entry = { readonly epoch: number; readonly receivedAtSeconds: number }

export type Barriers = {
  raise(barrier: Barrier, nowSeconds: number): void
  isBelow(making: TokenMaking, nowSeconds: number): boolean
  size(): number
}

/** `tenant.client.connection.subject.grant`, the compact claim `epochs`. */
const compact = /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/

export function parseTokenEpochs(claim: unknown): TokenEpochs | undefined {
  const match = typeof claim === 'string' ? compact.exec(claim) : null
  if (!match) return undefined
  const [tenant, client, connection, subject, grant] = match.slice(1).map(Number) as [number, number, number, number, number]
  return { tenant, client, connection, subject, grant }
}

export function createBarriers(limits: BarrierLimits): Barriers {
  const entries = new Map<string, Entry>()
  const floors = new Map<string, number>()
  const keyOf = (issuer: string, target: BarrierTarget, targetId: string) => JSON.stringify([issuer, target, targetId])
  /** Highest epoch asked of any connection of an issuer: what a token is measured by that does not say which connection it came through. */
  const anyConnection = '*'

  const set = (key: string, epoch: number, nowSeconds: number) => {
    const known = entries.get(key)
    entries.delete(key)
    entries.set(key, { epoch: Math.max(epoch, known?.epoch ?? 0), receivedAtSeconds: nowSeconds })
  }
  const forget = (nowSeconds: number) => {
    for (const [key, entry] of entries) {
      const isOld = entry.receivedAtSeconds + limits.keepSeconds < nowSeconds
      if (!isOld && entries.size <= limits.maxEntries) return
      entries.delete(key)
      if (isOld) continue
      const [issuer] = JSON.parse(key) as [string]
      floors.set(issuer, Math.max(floors.get(issuer) ?? 0, entry.receivedAtSeconds + floorMarginSeconds))
    }
  }

  return {
    raise: (barrier, nowSeconds) => {
      set(keyOf(barrier.issuer, barrier.target, barrier.targetId), barrier.epoch, nowSeconds)
      if (barrier.target === 'connection') set(keyOf(barrier.issuer, 'connection', anyConnection), barrier.epoch, nowSeconds)
      forget(nowSeconds)
    },
    isBelow: (making, nowSeconds) => {
      forget(nowSeconds)
      if (making.issuedAtSeconds <= (floors.get(making.issuer) ?? 0)) return true
      return barrierTargets.some((target) => {
        const made = making.epochs[target]
        const isWithout = made === 0 && making.ids[target] === undefined
        if (isWithout) return false
        const id = making.ids[target] ?? (target === 'connection' ? anyConnection : undefined)
        const entry = id === undefined ? undefined : entries.get(keyOf(making.issuer, target, id))
        return entry !== undefined && made < entry.epoch
      })
    },
    size: () => entries.size,
  }
}
