/**
 * One call at an issuer's notice endpoints, and what its failure means for the stream that it was about.
 *
 * Most failures say nothing of the stream: the issuer is too busy, is being restarted, cannot be reached, or its answer was lost. What it has not heard acknowledged
 * comes again, so the stream is asked again. A new one would cost the issuer a snapshot of everything at the very moment at which it has least to spare.
 */
import { withDeadline } from './deadline.js'
import { err, ok, type Result } from './refusal.js'
import type { TrustedIssuer } from './trusted-issuer.js'

/** The issuer may have us wait for so long and no longer: within it and a poll no guard goes deaf. */
export const mostRetryAfterSeconds = 10
/** What says of itself that it may be otherwise later (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4), and what is about the caller and not about the stream. */
const ofThisMoment: readonly number[] = [401, 403, 408, 425, 429]

/** `endsStream`: it will never be answered again. */
export type Trouble = { readonly trouble: string; readonly endsStream: boolean; readonly retryAfterSeconds?: number }
export type Answered = Readonly<Record<string, unknown>>

/** `signal`: what ends the call before its time; absent: nothing does. */
export type Call = { readonly path: string; readonly body: unknown; readonly timeoutSeconds: number; readonly signal?: AbortSignal }
export type Asking = { readonly issuer: TrustedIssuer; readonly fetch: typeof fetch; readonly nowSeconds: () => number }

/** The stream is asked again. */
export const passing = (trouble: string): Trouble => ({ trouble, endsStream: false })
/** A new one is opened. */
export const ending = (trouble: string): Trouble => ({ trouble, endsStream: true })

/** Throws where `signal` has ended it, and never else. */
export async function askIssuer(asking: Asking, call: Call): Promise<Result<Answered, Trouble>> {
  try {
    return await withDeadline(call.timeoutSeconds, call.signal, (signal) => ask(asking, call, signal))
  } catch (error) {
    call.signal?.throwIfAborted()
    return err(passing(error instanceof Error ? error.message : 'the issuer cannot be reached'))
  }
}

async function ask({ issuer, fetch, nowSeconds }: Asking, { path, body }: Call, signal: AbortSignal): Promise<Result<Answered, Trouble>> {
  const response = await fetch(`${issuer.issuer}${path}`, {
    method: 'POST',
    redirect: 'error',
    headers: { Authorization: issuer.authorization, 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
  if (response.status !== 200 && response.status !== 201) {
    await response.body?.cancel()
    return err(troubleOf(path, response, nowSeconds()))
  }
  const answer: unknown = await response.json()
  return typeof answer === 'object' && answer !== null ? ok(answer as Answered) : err(passing(`${path} answered no object`))
}

function troubleOf(path: string, { status, headers }: Response, nowSeconds: number): Trouble {
  const trouble = `${path} answered ${status}`
  if (status < 500 && !ofThisMoment.includes(status)) return ending(trouble)
  const retryAfterSeconds = parseRetryAfter(headers.get('retry-after'), nowSeconds)
  return { ...passing(trouble), ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
}

/**
 * At most `mostRetryAfterSeconds`; `undefined`: none was said that can be read.
 *
 * @spec RFC 9110 §10.2.3
 */
export function parseRetryAfter(header: string | null, nowSeconds: number): number | undefined {
  if (header === null) return undefined
  const said = /^\d{1,10}$/.test(header) ? Number(header) : Date.parse(header) / 1000 - nowSeconds
  return Number.isFinite(said) ? Math.min(Math.max(0, said), mostRetryAfterSeconds) : undefined
}
