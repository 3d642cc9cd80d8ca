/**
 * Who keeps the master keys until a process opens them: the port, of which there are two.
 *
 * Local custody is given the keys themselves. KMS custody is given keys that a key management service wrapped, and has them unwrapped
 * there (`kms-custody`). Both are asked once, at the start; what they open stays in the memory of the process, so that nothing which
 * seals, opens or signs ever waits for anybody. A process may hold keys of both: that is how an installation moves from one to the other.
 */
import { ok, type Result } from '@drawbridge/core/result'
import type { KmsRefusal } from './kms-refusal.js'
import type { MasterKey } from './seal.js'

export type KeyCustody = {
  /** All keys in this custody, or why one of them cannot be had: never some of them. `installation` is what they must have been made for. */
  open(installation: string): Promise<Result<readonly MasterKey[], KmsRefusal>>
}

export const localCustody = (masterKeys: readonly MasterKey[]): KeyCustody => ({ open: () => Promise.resolve(ok(masterKeys)) })

/** One custody of all: the first that refuses refuses for all. */
export const joinCustodies = (custodies: readonly KeyCustody[]): KeyCustody => ({
  open: async (installation) => {
    const all: MasterKey[] = []
    for (const custody of custodies) {
      const opened = await custody.open(installation)
      if (!opened.ok) return opened
      all.push(...opened.value)
    }
    return ok(all)
  },
})
