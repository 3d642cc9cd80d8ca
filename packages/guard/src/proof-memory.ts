/**
 * The ids of proofs that this process has believed, so that each is believed once.
 *
 * They rest in memory: another replica knows nothing of them. Where there is room for no more it says so, and the request is refused: to forget one
 * early would let it through twice. One key alone cannot fill it.
 *
 * @spec RFC 9449 §11.1
 */
import { createHash } from 'node:crypto'
import { proofAheadSeconds, proofOldestSeconds } from './dpop-proof.js'

/** About 20 MB. At the limit, 650 bound requests a second. */
export const defaultMaxProofs = 100_000
/** Of one key: 130 requests a second. */
export const maxProofsPerKey = 20_000

export type ProofMemory = {
  believeOnce(proof: { readonly thumbprint: string; readonly id: string }, nowSeconds: number): 'believed' | 'replayed' | 'full'
}

/** A proof that comes again so much later is refused by its own time, however far ahead its sender's clock was. */
const rememberedSeconds = proofOldestSeconds + proofAheadSeconds

export function createProofMemory(maxProofs: number): ProofMemory {
  /** In the order in which they came, so the first is the first to be forgotten. */
  const seen = new Map<string, { readonly thumbprint: string; readonly until: number }>()
  const ofKey = new Map<string, number>()

  const forget = (nowSeconds: number): void => {
    for (const [name, { thumbprint, until }] of seen) {
      if (nowSeconds < until) return
      seen.delete(name)
      const left = (ofKey.get(thumbprint) ?? 1) - 1
      if (left > 0) ofKey.set(thumbprint, left)
      else ofKey.delete(thumbprint)
    }
  }
  return {
    believeOnce: ({ thumbprint, id }, nowSeconds) => {
      forget(nowSeconds)
      const name = createHash('sha256')
        .update(JSON.stringify([thumbprint, id]))
        .digest('base64')
      if (seen.has(name)) return 'replayed'
      const held = ofKey.get(thumbprint) ?? 0
      if (seen.size >= maxProofs || held >= maxProofsPerKey) return 'full'
      seen.set(name, { thumbprint, until: nowSeconds + rememberedSeconds })
      ofKey.set(thumbprint, held + 1)
      return 'believed'
    },
  }
}
