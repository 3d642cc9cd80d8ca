/** TXT records, by the resolver of the host. A port: tests answer by themselves. */
import { Resolver } from 'node:dns/promises'

/** `absent`: the DNS says that there is none. `unreachable`: it says nothing, which proves nothing either way. */
export type TxtAnswer =
  | { readonly kind: 'found'; readonly records: readonly string[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreachable' }

export type ResolveTxt = (name: string) => Promise<TxtAnswer>

const timeoutMs = 3_000
const tries = 2
/** More than any honest name has, and a bound on what a stranger's name server can make us read. */
const mostRecords = 100

const saysThereIsNone: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA'])

/** `servers`: instead of the host's own, as `address:port`. */
export function createTxtResolver(servers?: readonly string[]): ResolveTxt {
  const resolver = new Resolver({ timeout: timeoutMs, tries })
  if (servers) resolver.setServers(servers)
  return async (name) => {
    try {
      // One record may come in several strings of at most 255 octets. RFC 7208 §3.3 joins them without a space, as everybody does.
      const records = (await resolver.resolveTxt(name)).slice(0, mostRecords).map((strings) => strings.join(''))
      return { kind: 'found', records }
    } catch (error) {
      return { kind: saysThereIsNone.has((error as { code?: unknown }).code) ? 'absent' : 'unreachable' }
    }
  }
}
