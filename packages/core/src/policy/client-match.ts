/** Which clients a rule means: by id, by host, by how they came to be registered. */
import type { ClientsEntry } from './document.js'
import type { PolicyInput } from './input.js'

export type ClientMatcher = {
  /** Without one of these, certainly not meant; absent: any. */
  readonly ids: ReadonlySet<string> | undefined
  readonly hosts: ReadonlySet<string> | undefined
  readonly kinds: ReadonlySet<string> | undefined
  /** `.example.com` stands for every host below it. */
  readonly hostSuffixes: readonly string[]
}

export function clientMatcher(entry: ClientsEntry | undefined): ClientMatcher | undefined {
  if (entry === undefined) return undefined
  const hosts = entry.hosts?.map((host) => host.toLowerCase())
  return {
    ids: entry.ids && new Set(entry.ids),
    hosts: hosts && new Set(hosts),
    hostSuffixes: hosts?.filter((host) => host.startsWith('*.')).map((host) => host.slice(1)) ?? [],
    kinds: entry.kinds && new Set(entry.kinds),
  }
}

/** A client without a host is on no list of hosts, and nobody knows whether it should be: unclear. */
export function isMeant(matcher: ClientMatcher | undefined, { id, host, kind }: PolicyInput['client']): 'yes' | 'no' | 'unclear' {
  if (matcher === undefined) return 'yes'
  if (matcher.ids !== undefined && !matcher.ids.has(id)) return 'no'
  if (matcher.kinds !== undefined && !matcher.kinds.has(kind)) return 'no'
  if (matcher.hosts === undefined) return 'yes'
  if (host === undefined) return 'unclear'
  const own = host.toLowerCase()
  return matcher.hosts.has(own) || matcher.hostSuffixes.some((suffix) => own.endsWith(suffix)) ? 'yes' : 'no'
}
