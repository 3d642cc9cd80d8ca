/** Where oidc-provider keeps its codes, grants and interactions: memory, bounded, gone at the end. */

type Payload = Record<string, unknown> & { grantId?: string; uid?: string; userCode?: string; consumed?: number }
type Entry = { readonly payload: Payload; readonly expiresMs: number }

/** Oldest entries go first; nobody signs in so often at one desk. */
const maxEntries = 50_000

/** The adapter class that oidc-provider asks for, with the registered clients looked up where they really are. */
export function memoryAdapter(findClient: (clientId: string) => Payload | undefined) {
  const entries = new Map<string, Entry>()
  const live = (key: string) => {
    const entry = entries.get(key)
    return entry === undefined || entry.expiresMs <= Date.now() ? undefined : entry.payload
  }
  const findWhere = (model: string, matches: (payload: Payload) => boolean) => {
    for (const [key, entry] of entries) if (key.startsWith(`${model}:`) && matches(entry.payload)) return live(key)
    return undefined
  }
  return (model: string) => ({
    upsert: async (id: string, payload: Payload, expiresInSeconds?: number) => {
      entries.delete(`${model}:${id}`)
      entries.set(`${model}:${id}`, { payload, expiresMs: Date.now() + (expiresInSeconds ?? 3600) * 1000 })
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries) break
        entries.delete(oldest)
      }
    },
    find: async (id: string) => (model === 'Client' ? findClient(id) : live(`${model}:${id}`)),
    findByUid: async (uid: string) => findWhere(model, (payload) => payload.uid === uid),
    findByUserCode: async (userCode: string) => findWhere(model, (payload) => payload.userCode === userCode),
    consume: async (id: string) => {
      const payload = live(`${model}:${id}`)
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
    },
    destroy: async (id: string) => {
      entries.delete(`${model}:${id}`)
    },
    revokeByGrantId: async (grantId: string) => {
      for (const [key, entry] of entries) if (entry.payload.grantId === grantId) entries.delete(key)
    },
  })
}
