/** The public keys of one issuer for one kind of message, and those of them that are believed no longer. */
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import { isLate } from './deadline.js'
import { onlyUsableKeys } from './usable-keys.js'

/** How long cached keys are believed: a compromised key leaves every guard within this time, even one that hears no notices, or 30 s later where its clock was set back by so little. */
export const keysMaxAgeSeconds = 300
/** After an unknown key id, the next fetch waits this long, so that forged ids cannot make the guard hammer its issuer. */
export const keysCooldownSeconds = 10
/** An answer that takes longer counts as none, also where it came in time and the process stood still: the age of keys counts from when they were read. */
export const keysTimeoutSeconds = 5
/** Condemned ids remembered per set; beyond this the oldest is forgotten, which is harmless: the issuer has long stopped publishing it. */
export const maxCondemnedKeys = 1000

export type IssuerKeys = {
  readonly find: JWTVerifyGetKey
  isCondemned(kid: string): boolean
  /**
   * From the return of this call on nothing that these keys signed is believed, whatever the cache holds. The promise is that of fetching
   * the set anew, where the cached one still has such a key; it rejects when the issuer cannot be reached, and they stay condemned.
   */
  condemn(kids: readonly string[]): Promise<void>
  /** The next message is verified with keys that are fetched anew, or not at all. What is condemned stays so. */
  forget(): void
}

export function createIssuerKeys(url: string, fetchLike: typeof fetch): IssuerKeys {
  const createRemote = () =>
    createRemoteJWKSet(new URL(url), {
      cacheMaxAge: keysMaxAgeSeconds * 1000,
      cooldownDuration: keysCooldownSeconds * 1000,
      timeoutDuration: keysTimeoutSeconds * 1000,
      [customFetch]: (address, init) => fetchInTime(() => fetchLike(address, init)),
    })
  let remote = createRemote()
  const condemned = new Set<string>()
  return {
    find: (header, token) => remote(header, token),
    isCondemned: (kid) => condemned.has(kid),
    condemn: (kids) => {
      const news = kids.filter((kid) => !condemned.has(kid))
      for (const kid of news) condemned.add(kid)
      forgetOldest(condemned)
      const isCached = remote.jwks()?.keys.some(({ kid }) => kid !== undefined && news.includes(kid)) ?? false
      return isCached ? remote.reload() : Promise.resolve()
    },
    // Not `reload`: where that fails, `jose` goes on believing the old set by the old time, and asks for no unknown key.
    forget: () => {
      remote = createRemote()
    },
  }
}

/** By the clock by which `jose` measures the age of what it keeps. */
async function fetchInTime(fetchKeys: () => Promise<Response>): Promise<Response> {
  const askedAt = Date.now() / 1000
  const keys = await usable(await fetchKeys())
  if (isLate({ askedAt, answeredAt: Date.now() / 1000, timeoutSeconds: keysTimeoutSeconds })) throw new Error('the keys came too late')
  return keys
}

/** What is not answered as a set is left to the reader, which refuses it. */
async function usable(response: Response): Promise<Response> {
  return response.status === 200 ? Response.json(onlyUsableKeys(await response.json())) : response
}

function forgetOldest(condemned: Set<string>): void {
  for (const kid of condemned) {
    if (condemned.size <= maxCondemnedKeys) return
    condemned.delete(kid)
  }
}
