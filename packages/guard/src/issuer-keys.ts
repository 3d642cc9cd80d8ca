/** The public keys of one issuer for one kind of message, and those of them that are believed no longer. */
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import { onlyUsableKeys } from './usable-keys.js'

/** How long cached keys are believed: a compromised key leaves every guard within this time, even one that hears no notices. */
export const keysMaxAgeSeconds = 300
/** After an unknown key id, the next fetch waits this long, so that forged ids cannot make the guard hammer its issuer. */
export const keysCooldownSeconds = 10
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
}

export function createIssuerKeys(url: string, fetchLike: typeof fetch): IssuerKeys {
  const remote = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: keysMaxAgeSeconds * 1000,
    cooldownDuration: keysCooldownSeconds * 1000,
    [customFetch]: async (address, init) => usable(await fetchLike(address, init)),
  })
  const condemned = new Set<string>()
  return {
    find: remote,
    isCondemned: (kid) => condemned.has(kid),
    condemn: (kids) => {
      const news = kids.filter((kid) => !condemned.has(kid))
      for (const kid of news) condemned.add(kid)
      forgetOldest(condemned)
      const isCached = remote.jwks()?.keys.some(({ kid }) => kid !== undefined && news.includes(kid)) ?? false
      return isCached ? remote.reload() : Promise.resolve()
    },
  }
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
