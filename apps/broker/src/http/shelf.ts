/**
 * A map of bounded size that forgets what says least: of all that it holds, what will be over first. Who fills it with things that are soon over
 * pushes out only those, never what lasts. A heap whose order is put right when something is taken from it: until then a value may last longer
 * than its place says, and reading or changing it costs nothing.
 */
export type Shelf<Value> = {
  get(id: string): Value | undefined
  /** Of an id that is not there. Answers the id of what made room. */
  put(id: string, value: Value): string | undefined
}

type Place<Value> = { readonly id: string; readonly value: Value; endsAt: number }

/** `endsAt`: when a value is over; it may grow while the value lies here. */
export function createShelf<Value>(most: number, endsAt: (value: Value) => number): Shelf<Value> {
  const values = new Map<string, Value>()
  const heap: Place<Value>[] = []
  return {
    get: (id) => values.get(id),
    put: (id, value) => {
      const forgotten = heap.length >= most ? takeFirst(heap, endsAt) : undefined
      if (forgotten !== undefined) values.delete(forgotten)
      values.set(id, value)
      heap.push({ id, value, endsAt: endsAt(value) })
      rise(heap, heap.length - 1)
      return forgotten
    },
  }
}

/** Whatever lasts longer than its place says sinks to where it belongs; each does so once for all that happened to it since. */
function takeFirst<Value>(heap: Place<Value>[], endsAt: (value: Value) => number): string | undefined {
  for (let first = heap[0]; first !== undefined; first = heap[0]) {
    const actual = endsAt(first.value)
    if (actual > first.endsAt) {
      first.endsAt = actual
      sink(heap, 0)
      continue
    }
    const last = heap.pop() as Place<Value>
    if (last !== first) {
      heap[0] = last
      sink(heap, 0)
    }
    return first.id
  }
  return undefined
}

const endOf = <Value>(heap: readonly Place<Value>[], at: number): number => heap[at]?.endsAt ?? Number.POSITIVE_INFINITY

function swap<Value>(heap: Place<Value>[], one: number, other: number): void {
  const kept = heap[one] as Place<Value>
  heap[one] = heap[other] as Place<Value>
  heap[other] = kept
}

function rise<Value>(heap: Place<Value>[], from: number): void {
  for (let at = from; at > 0; ) {
    const above = (at - 1) >> 1
    if (endOf(heap, above) <= endOf(heap, at)) return
    swap(heap, above, at)
    at = above
  }
}

function sink<Value>(heap: Place<Value>[], from: number): void {
  for (let at = from; ; ) {
    const left = 2 * at + 1
    const least = endOf(heap, left) <= endOf(heap, left + 1) ? left : left + 1
    if (endOf(heap, at) <= endOf(heap, least)) return
    swap(heap, least, at)
    at = least
  }
}
