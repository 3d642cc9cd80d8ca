/** Whether a policy looks at where a request comes from, which nobody knows while nobody asks. */
import type { CompiledPolicy } from './compile.js'

/** `request` alone: the whole of it. */
const ofPlace = /^request(?:\.address|\.country)?$/

/** Of a claim that the policy makes, a mention of the request is enough. */
export const readsOfRequest = ({ rules, demands, clientRules, derivedClaims }: CompiledPolicy): boolean =>
  [...rules, ...demands, ...clientRules].some(({ when }) => when?.reads.some((name) => ofPlace.test(name))) ||
  [...derivedClaims.vendor, ...derivedClaims.tenant].some(({ value }) => /\brequest\b/.test(value.source))
