/** Whoever asks for the same thing at the same time shares one answer. */

export type Flights<T> = {
  isUnderWay(name: string): boolean
  /** What is under way by this name, or what `begin` begins. */
  share(name: string, begin: () => Promise<T>): Promise<T>
}

export function createFlights<T>(): Flights<T> {
  const underWay = new Map<string, Promise<T>>()
  return {
    isUnderWay: (name) => underWay.has(name),
    share: (name, begin) => {
      const known = underWay.get(name)
      if (known !== undefined) return known
      const begun = begin().finally(() => underWay.delete(name))
      underWay.set(name, begun)
      return begun
    },
  }
}
