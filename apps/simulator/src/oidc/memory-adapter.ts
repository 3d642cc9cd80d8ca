/** Where oidc-provider keeps its codes, grants and interactions: memory, bounded, gone at the end. */

type Payload = Record<string, unknown> & { grantId?: string; uid?: string; consumed?: number }
type Entry = { readonly payload: Payload; readonly expiresMs: number }

/** Oldest entries go first; nobody signs in so often at one desk. */
const maxEntries = 50_000

/** The adapter class that oidc-provider asks for, with the registered clients looked up where they really are. */
export function memoryAdapter(findClient: (clientId: string) => Payload | undefined) {
  const entries = new Map<string, Entry>()
  /** Sessions and interactions are asked for by `uid` at every login, so that is not a search. */
  const idsByUid = new Map<string, string>()
  const drop = (key: string) => {
    const uid = entries.get(key)?.payload.uid
    if (uid !== undefined && idsByUid.get(`${key.split(':')[0]}:${uid}`) === key) idsByUid.delete(`${key.split(':')[0]}:${uid}`)
    entries.delete(key)
  }
  const live = (key: string) => {
    const entry = entries.get(key)
    return entry === undefined || entry.expiresMs <= Date.now() ? undefined : entry.payload
  }
  return (model: string) => ({
    upsert: async (id: string, payload: Payload, expiresInSeconds?: number) => {
      drop(`${model}:${id}`)
      if (payload.uid !== undefined) idsByUid.set(`${model}:${payload.uid}`, `${model}:${id}`)
      entries.set(`${model}:${id}`, { payload, expiresMs: Date.now() + (expiresInSeconds ?? 3600) * 1000 })
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries) break
        drop(oldest)
      }
    },
    find: async (id: string) => (model === 'Client' ? findClient(id) : live(`${model}:${id}`)),
    findByUid: async (uid: string) => live(idsByUid.get(`${model}:${uid}`) ?? ''),
    // Device flow is off.
    findByUserCode: async () => undefined,
    consume: async (id: string) => {
      const payload = live(`${model}:${id}`)
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
    },
    destroy: async (id: string) => {
      drop(`${model}:${id}`)
    },
    revokeByGrantId: async (grantId: string) => {
      for (const [key, entry] of entries) if (entry.payload.grantId === grantId) drop(key)
    },
  })
}
