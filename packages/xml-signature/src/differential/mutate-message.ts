/**
 * What an attacker, a proxy or an unlucky library could make of a message: some of it changes nothing that is signed, some of it
 * everything.
 */
import { moveMutations } from './move-mutations.js'
import type { Mutation } from './mutation.js'
import { namespaceMutations } from './namespace-mutations.js'
import { signatureMutations } from './signature-mutations.js'
import { textMutations } from './text-mutations.js'

export const mutations: Readonly<Record<string, Mutation>> = {
  ...moveMutations,
  ...namespaceMutations,
  ...signatureMutations,
  ...textMutations,
}
