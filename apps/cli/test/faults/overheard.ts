/** What guards were sent by their issuers, read on the line: no stream tells of people of another company than its own. */
import { publicUrl } from '../a-production.js'
import type { Company } from './companies.js'
import type { IssuerPath, Ledger } from './ledger.js'

/** `issuerPath`: of the issuer that was asked. */
export type Heard = {
  readonly issuerPath: IssuerPath
  readonly iss: string
  readonly tenant: string
  readonly target: string
  readonly targetId: string
}
type Notice = { readonly iss: string; readonly drawbridge?: Omit<Heard, 'issuerPath' | 'iss'> }

const poll = '/ssf/poll'

/** A guard's fetch, which finds the public URL at another address and keeps what notices say. */
export const overhearing =
  (heard: Heard[], at: string): typeof fetch =>
  async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const response = await fetch(`${at}${url.pathname}${url.search}`, init)
    if (!url.pathname.endsWith(poll) || response.status !== 200) return response
    const text = await response.text()
    const { sets = {} } = JSON.parse(text) as { readonly sets?: Readonly<Record<string, string>> }
    for (const notice of Object.values(sets)) heard.push(read(url.pathname.slice(0, -poll.length) as IssuerPath, notice))
    return new Response(text, { status: 200, headers: { 'content-type': response.headers.get('content-type') ?? '' } })
  }

function read(issuerPath: IssuerPath, notice: string): Heard {
  const { iss, drawbridge } = JSON.parse(Buffer.from(notice.split('.')[1] ?? '', 'base64url').toString()) as Notice
  const { tenant = '', target = '', targetId = '' } = drawbridge ?? {}
  return { issuerPath, iss, tenant, target, targetId }
}

/** Every contradiction, in words. `heard`: by any receiver. */
export function judgeOverheard({ slug, issuerPaths: [own, front] }: Company, ledger: Ledger, heard: readonly Heard[]): readonly string[] {
  const subs = new Set(ledger.issues.map(({ sub }) => sub))
  const found: string[] = []
  for (const { issuerPath, iss, tenant, target, targetId } of heard) {
    if (issuerPath !== own && (issuerPath !== front || tenant !== slug)) continue
    if (iss !== `${publicUrl}${issuerPath}`) found.push(`at ${issuerPath || 'the front'} a notice of ${iss} was heard`)
    if (tenant !== slug) found.push(`at ${issuerPath || 'the front'} a notice about ${tenant} was heard`)
    if (target === 'subject' && !subs.has(targetId)) found.push(`at ${issuerPath || 'the front'} a notice about a stranger was heard`)
  }
  return found
}
