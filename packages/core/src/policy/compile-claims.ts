/** The catalogue of claims that a document's conditions may name, and those among them that it makes itself. */
import { reservedClaims } from '../identity/claim-mapping.js'
import { type DerivedValue, derivedClaimCompiler } from './cel.js'
import { type ClaimCatalogue, standardClaims } from './cel-variables.js'
import type { Compiling } from './compiling.js'
import { placeMistake, report } from './compiling.js'
import type { PolicyDocument } from './document.js'

export type DerivedClaim = { readonly name: string; readonly value: DerivedValue }

export type CompiledClaims = { readonly catalogue: ClaimCatalogue; readonly derived: readonly DerivedClaim[] }

/** A claim that a document makes cannot stand in for one that a login brings: the standard ones and the reserved ones are refused. */
export function compileClaims(document: PolicyDocument, compiling: Compiling): CompiledClaims {
  const declared = Object.entries(document.claims)
  const brought = Object.fromEntries(declared.flatMap(([name, claim]) => (typeof claim === 'string' ? [[name, claim] as const] : [])))
  const made = declared.flatMap(([name, claim]) => (typeof claim === 'string' ? [] : [{ name, ...claim }]))
  const compile = derivedClaimCompiler(brought)
  const derived = made.flatMap(({ name, type, from }): readonly DerivedClaim[] => {
    const path = ['claims', name]
    if (Object.hasOwn(standardClaims, name) || reservedClaims.has(name)) {
      report(compiling, 'claim_reserved', path, name)
      return []
    }
    const value = compile(from, type)
    if (!value.ok) {
      placeMistake(compiling, [...path, 'from'], value.error)
      return []
    }
    compiling.cost += value.value.cost
    return [{ name, value: value.value }]
  })
  return { catalogue: { ...brought, ...Object.fromEntries(made.map(({ name, type }) => [name, type])) }, derived }
}
