/**
 * What holds of documents that were published. One that no longer compiles, after an upgrade that refuses what was accepted before, fails
 * closed: the tenant's grants nothing, the vendor's lets nothing through.
 */
import { type CompiledPolicy, closedWall, compilePolicy, compileWall, defaultWall, safeDefault, type Wall } from './compile.js'

export type PublishedWall = { readonly version: number; readonly document: string }
/** `policyDocument` absent: none was ever published. The version may be above that of the document: see the wall. */
export type PublishedPolicy = { readonly policyVersion: number; readonly policyDocument: string | undefined }

/** What was compiled, or what stands for it. */
export type Holding<T> = { readonly value: T; readonly isBroken: boolean }

export function compilePublishedWall(published: PublishedWall | undefined): Holding<Wall> {
  if (published === undefined) return { value: defaultWall, isBroken: false }
  const compiled = compileWall(published.document, published.version, true)
  return compiled.ok ? { value: compiled.value, isBroken: false } : { value: closedWall(published.version), isBroken: true }
}

export function compilePublishedPolicy({ policyVersion: version, policyDocument }: PublishedPolicy, wall: Wall): Holding<CompiledPolicy> {
  const nothing: CompiledPolicy = { ...safeDefault(wall), version }
  if (policyDocument === undefined) return { value: nothing, isBroken: false }
  const compiled = compilePolicy(policyDocument, { version, wall, isPublished: true })
  return compiled.ok ? { value: compiled.value, isBroken: false } : { value: nothing, isBroken: true }
}
