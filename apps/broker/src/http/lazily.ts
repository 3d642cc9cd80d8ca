/** What is made when it is first asked for, and then kept. */

/** Opens keys at first use and once: a tenant that signs nothing costs nothing. */
export function lazily<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>()
  return (name) => {
    if (!made.has(name)) made.set(name, make(name))
    return made.get(name) as T
  }
}

export function once<T>(make: () => T): () => T {
  const made = lazily(make)
  return () => made('')
}
