/**
 * Work with a deadline, that may be ended before. Not `AbortSignal.any()`: that of Node 20 forgets the time-outs it was made of as soon as memory is
 * collected, and a call on a dead line then never ends.
 */
export async function withDeadline<Value>(
  seconds: number,
  ended: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const ending = new AbortController()
  const timer = setTimeout(() => ending.abort(new Error(`no answer within ${seconds} s`)), seconds * 1000)
  timer.unref()
  const end = () => ending.abort(ended?.reason)
  if (ended?.aborted === true) end()
  ended?.addEventListener('abort', end)
  try {
    return await work(ending.signal)
  } finally {
    clearTimeout(timer)
    ended?.removeEventListener('abort', end)
  }
}

type Waited = { readonly askedAt: number; readonly answeredAt: number; readonly timeoutSeconds: number }

/**
 * Whether an answer that came within its deadline by our timers is older than that by the clock, both in seconds: this process stood still meanwhile, and the
 * answer has waited for it.
 */
export const isLate = ({ askedAt, answeredAt, timeoutSeconds }: Waited): boolean => answeredAt - askedAt > timeoutSeconds
