/**
 * The ids of proofs that this process has believed, so that each is believed once.
 *
 * They rest in memory: another replica knows nothing of them. Where there is room for no more it says so, and the request is refused: to forget one
 * early would let it through twice. One key alone cannot fill it.
 *
 * A proof is refused by its own time before it is forgotten, unless the clock goes back. So none is believed that is as old as one that was forgotten: nobody
 * can say any more that it is another one. As long as the clock goes back by no more than `mostStepBackSeconds`, that refuses nothing that its time allows.
 *
 * @spec RFC 9449 §11.1
 */
import { createHash } from 'node:crypto'
import { proofAheadSeconds, proofOldestSeconds } from './dpop-proof.js'
import { mostStepBackSeconds } from './watched-clock.js'

/** About 20 MB. At the limit, 550 bound requests a second. */
export const defaultMaxProofs = 100_000
/** Of one key: 110 requests a second. */
export const maxProofsPerKey = 20_000

export type UsedProof = { readonly thumbprint: string; readonly id: string; readonly issuedAtSeconds: number }

export type ProofMemory = {
  /** `too_old`: it may be one that was forgotten. */
  believeOnce(proof: UsedProof, nowSeconds: number): 'believed' | 'replayed' | 'too_old' | 'full'
}

/** A proof that comes again so much later is refused by its own time, however far ahead its sender's clock was and though ours was set back a little. */
const rememberedSeconds = proofOldestSeconds + proofAheadSeconds + mostStepBackSeconds

export function createProofMemory(maxProofs: number): ProofMemory {
  const seen = new Map<string, { readonly thumbprint: string; readonly issuedAtSeconds: number; readonly until: number }>()
  const ofKey = new Map<string, number>()
  let youngestForgotten = Number.NEGATIVE_INFINITY
  let lookedAt: number | undefined

  /** All are looked at, once a second: where the clock went back, those in front may have the longest to go. */
  const forget = (nowSeconds: number): void => {
    if (nowSeconds === lookedAt) return
    lookedAt = nowSeconds
    for (const [name, { thumbprint, issuedAtSeconds, until }] of seen) {
      if (nowSeconds < until) continue
      seen.delete(name)
      youngestForgotten = Math.max(youngestForgotten, issuedAtSeconds)
      const left = (ofKey.get(thumbprint) ?? 1) - 1
      if (left > 0) ofKey.set(thumbprint, left)
      else ofKey.delete(thumbprint)
    }
  }
  return {
    believeOnce: ({ thumbprint, id, issuedAtSeconds }, nowSeconds) => {
      forget(nowSeconds)
      const name = createHash('sha256')
        .update(JSON.stringify([thumbprint, id]))
        .digest('base64')
      if (seen.has(name)) return 'replayed'
      if (issuedAtSeconds <= youngestForgotten) return 'too_old'
      const held = ofKey.get(thumbprint) ?? 0
      if (seen.size >= maxProofs || held >= maxProofsPerKey) return 'full'
      seen.set(name, { thumbprint, issuedAtSeconds, until: nowSeconds + rememberedSeconds })
      ofKey.set(thumbprint, held + 1)
      return 'believed'
    },
  }
}
