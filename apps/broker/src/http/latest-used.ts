/** What was used lately, within a number and a weight: a few large things must not fill the memory that is meant for many small ones. */
export type LatestUsed<K, V> = {
  readonly get: (key: K) => V | undefined
  /** What was there under the key is replaced. The longest unused go until both limits are kept; the one that was just set stays. */
  readonly set: (key: K, value: V, weight: number) => void
  readonly delete: (key: K) => void
  readonly values: () => Iterable<V>
}

export function createLatestUsed<K, V>(limits: { readonly most: number; readonly weight: number }): LatestUsed<K, V> {
  const kept = new Map<K, { readonly value: V; readonly weight: number }>() // the longest unused first
  let total = 0
  const remove = (key: K): void => {
    total -= kept.get(key)?.weight ?? 0
    kept.delete(key)
  }
  return {
    get: (key) => {
      const found = kept.get(key)
      if (found === undefined) return undefined
      kept.delete(key)
      kept.set(key, found)
      return found.value
    },
    set: (key, value, weight) => {
      remove(key)
      kept.set(key, { value, weight })
      total += weight
      for (const oldest of kept.keys()) {
        if ((kept.size <= limits.most && total <= limits.weight) || kept.size === 1) break
        remove(oldest)
      }
    },
    delete: remove,
    values: () => [...kept.values()].map(({ value }) => value),
  }
}
