/**
 * A receiver of another maker, which shares no code with our guard (testkit's `an-ssf-receiver`): at the issuer of each company it is pushed to at the company's own
 * address outside, and it polls a second stream. What it believes is kept; what it is not told, or told twice, or of whom it has nothing, contradicts.
 */
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aTcpProxy, type TcpProxy } from '@drawbridge/testkit/a-tcp-proxy'
import { discover, judging, managing, type SecurityEvent } from '@drawbridge/testkit/an-ssf-receiver'
import { publicUrl } from '../a-production.js'
import { patienceMs, sleep } from './ask.js'
import type { Company } from './companies.js'
import { countsSince, signedOut } from './deliveries.js'
import { type Bounds, endOf, type Ledger, type Takes } from './ledger.js'
import type { Outside } from './outside.js'
import { now } from './stop-watch.js'

export const foreignWays = ['pushed', 'polled'] as const
type Way = (typeof foreignWays)[number]
/** `company`: at whose issuer. `sub`, `session`: whom or which grant it names, where it names one. `txn`: the end that it tells of. */
export type ForeignNews = {
  readonly way: Way
  readonly company: string
  readonly at: number
  readonly jti: string
  readonly txn: string
  readonly sub: string | undefined
  readonly session: string | undefined
}
export type Foreign = {
  /** By which it polls. */
  readonly line: TcpProxy
  /** What it believed, each `jti` once. */
  readonly heard: readonly ForeignNews[]
  /** What it did not believe, and why. */
  readonly refused: readonly string[]
  close(): Promise<void>
}

const restMs = 300
const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'
const authorization = 'Bearer of-another-maker'
/** What it says where the fault is its own: it is to be told again. */
const unavailable = 'keys_unavailable'

type Judge = (token: string) => Promise<SecurityEvent>

export async function aForeignReceiver(companies: readonly Company[], outside: Outside, brokersAt: string): Promise<Foreign> {
  const heard: ForeignNews[] = []
  const refused: string[] = []
  const line = await aTcpProxy(await freePort(), () => Number(new URL(brokersAt).port))
  let isOpen = true
  const believe = async (judge: Judge, token: string, of: Pick<ForeignNews, 'way' | 'company'>): Promise<string | undefined> => {
    try {
      const news = read(await judge(token), of)
      if (news && !heard.some((one) => one.way === of.way && one.jti === news.jti)) heard.push(news)
      return undefined
    } catch (error) {
      const { message } = error as Error
      if (message !== unavailable) refused.push(`${of.way} for ${of.company}: ${message}`)
      return message
    }
  }
  const polling: Promise<void>[] = []
  for (const { slug, credential, toldAt } of companies) {
    const found = await discover(`${publicUrl}/t/${slug}`, brokersAt)
    const near = JSON.parse(JSON.stringify(found).replaceAll(publicUrl, brokersAt)) as typeof found
    const bearer = `Bearer ${credential.id}.${credential.secret}`
    const streams = managing({ configuration: near, authorization: bearer })
    const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: `${toldAt}/events`, authorization_header: authorization }
    const [pushed, polled] = [await streams.create({ delivery, description: 'pushed' }), await streams.create({ description: 'polled' })]
    if (pushed.status !== 201 || polled.status !== 201)
      throw new Error(`the streams of ${slug} were answered ${pushed.status}, ${polled.status}`)
    const judge = judging({ configuration: { ...near, issuer: found['issuer'] } }, pushed.body.aud)
    outside.asked.set(`/${slug}/events`, async (body, headers) => {
      if (headers.authorization !== authorization) return { status: 400, json: { err: 'authentication_failed' } }
      const err = await believe(judge, body, { way: 'pushed', company: slug })
      return err === undefined ? { status: 202 } : err === unavailable ? { status: 503 } : { status: 400, json: { err } }
    })
    const url = String(polled.body.delivery.endpoint_url).replace(publicUrl, `http://127.0.0.1:${line.port}`)
    polling.push(poll({ url, bearer, isOpen: () => isOpen, believe: (token) => believe(judge, token, { way: 'polled', company: slug }) }))
  }
  return {
    ...{ line, heard, refused },
    close: async () => {
      isOpen = false
      await line.close()
      await Promise.all(polling)
    },
  }
}

type Polling = {
  readonly url: string
  readonly bearer: string
  readonly isOpen: () => boolean
  /** Undefined: it was believed. */
  readonly believe: (token: string) => Promise<string | undefined>
}

/** Acknowledges with the next request what it has believed. RFC 8936 §2.4 */
async function poll({ url, bearer, isOpen, believe }: Polling): Promise<void> {
  let ack: string[] = []
  while (isOpen()) {
    try {
      const headers = { authorization: bearer, 'content-type': 'application/json' }
      const body = JSON.stringify({ returnImmediately: true, ack })
      const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(patienceMs) })
      const { sets = {} } = (response.status === 200 ? await response.json() : {}) as { readonly sets?: Readonly<Record<string, string>> }
      if (response.status === 200) ack = []
      for (const [jti, token] of Object.entries(sets)) if ((await believe(token)) === undefined) ack.push(jti)
    } catch {
      // In such weather it asks again.
    }
    await sleep(restMs)
  }
}

/** Undefined: it is of something else, or of the stream itself. */
function read({ jti, txn, events, sub_id }: SecurityEvent, of: Pick<ForeignNews, 'way' | 'company'>): ForeignNews | undefined {
  if (!Object.hasOwn(events, sessionRevoked)) return undefined
  const sub = (sub_id.user ?? sub_id).sub as string | undefined
  return { ...of, at: now(), jti, txn: String(txn), sub, session: sub_id.session?.id as string | undefined }
}

const isTakes = (event: Ledger['events'][number]): event is Takes => event.effect === 'takes'

/** Every contradiction, in words. `heard`: by one company's streams, when all that was under way has arrived. */
export function judgeForeign(ledger: Ledger, heard: readonly ForeignNews[], bounds: Bounds): readonly string[] {
  const subs = new Map(ledger.issues.map(({ subject, sub }) => [subject, sub]))
  return foreignWays.flatMap((way) => {
    const news = heard.filter((one) => one.way === way)
    const who = `the foreign receiver (${way})`
    const untold = ledger.events
      .filter(isTakes)
      .filter((event) => mustBeTold(ledger, event, bounds) && !news.some((one) => tellsOf(one, event, ledger, subs.get(event.subject))))
    const strangers = news.filter(({ sub }) => sub !== undefined && ![...subs.values()].includes(sub))
    const twice = new Map<string, Set<string>>()
    for (const { txn, sub, session, jti } of news) {
      const what = `${txn} about ${session ?? sub}`
      twice.set(what, (twice.get(what) ?? new Set()).add(jti))
    }
    return [
      ...untold.map(
        ({ subject, grant, answeredAt = 0 }) =>
          `${who} was not told that ${grant ?? subject} is over, acknowledged at ${(answeredAt / 1000).toFixed(3)} s`,
      ),
      ...strangers.map(({ txn }) => `${who} was told by ${txn} of somebody who is none of the company's people`),
      ...[...twice].filter(([, ids]) => ids.size > 1).map(([what, ids]) => `${who} was told ${what} under ${ids.size} ids`),
    ]
  })
}

/** A sign-out is told by the name of its session, which the ledger does not have. */
function tellsOf(news: ForeignNews, event: Takes, ledger: Ledger, sub: string | undefined): boolean {
  if (event.grant === undefined) return news.session === undefined && news.sub === sub && news.at >= countsSince(ledger, event)
  return (
    news.session === event.grant || (event.way === signedOut && news.session !== undefined && news.sub === sub && news.at >= event.sentAt)
  )
}

/** Whether its issuer must have told of it. One of a grant that may have been over before need not be told, and what is of the front issuer is told there. */
function mustBeTold(ledger: Ledger, event: Takes, bounds: Bounds): boolean {
  const { subject, grant, answeredAt } = event
  if (answeredAt === undefined || grant === undefined) return answeredAt !== undefined
  const issue = ledger.issues.find((one) => one.grant === grant)
  if (issue === undefined || issue.issuerPath === '') return false
  return !ledger.events
    .filter(isTakes)
    .filter((one) => one !== event && one.subject === subject && (one.grant ?? grant) === grant)
    .some((one) => endOf(one, bounds) >= issue.sentAt && one.sentAt <= answeredAt)
}
