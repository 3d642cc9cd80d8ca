/**
 * Statements of ordinary transactions whose plans every connection keeps.
 *
 * Without a name a statement is parsed and planned each time that it is asked, and for most of ours that costs more than carrying it out. With one a
 * connection plans it five times for the values at hand and then keeps one plan for all values, where the planner finds that no dearer. A plan holds no
 * tenant and no right: row-level security reads the tenant of the transaction when the plan is carried out, and PostgreSQL plans anew for another role.
 */
import { sha256Base64url } from '@drawbridge/crypto/hash'

/** Made by `keptStatement` alone. */
export type KeptStatement = { readonly name: string; readonly text: string }

/**
 * So many there may be. Each connection holds those that it has carried out in the server's memory: 50 to 65 KiB at the median, the largest 830, and 6 MiB
 * were they all of the 67 that there were when this was measured. They are for what directories, sweeps, relays and guards ask all day; what an admin
 * asks now and then is planned when it is asked.
 */
export const mostKeptStatements = 160

export type StatementRegistry = { readonly keep: (text: string) => KeptStatement; readonly all: () => readonly KeptStatement[] }

/** Of at most so many statements: one more is a mistake, and throws. */
export function statementRegistry(most: number): StatementRegistry {
  const registered = new Map<string, KeptStatement>()
  const keep = (text: string): KeptStatement => {
    const known = registered.get(text)
    if (known !== undefined) return known
    if (registered.size >= most) throw new Error(`more than ${most} statements would be kept`)
    const statement = { name: `kept_${sha256Base64url(text)}`, text }
    registered.set(text, statement)
    return statement
  }
  return { keep, all: () => [...registered.values()] }
}

const registry = statementRegistry(mostKeptStatements)

/**
 * Registers a statement when its module is loaded, and never while something is asked: text whose shape depends on what somebody wants, such as a filter,
 * would fill every connection. Its name is made from its text, so another text is another statement. No `*` in what it answers: a column that a
 * migration adds would make every kept plan of it useless.
 */
export const keptStatement = registry.keep

export const keptStatements = registry.all

/**
 * SQL: the elements of array parameters as rows, of which the planner assumes ten. It counts those of a parameter where it can, and so it found one plan
 * for all values dearer than a new one for each, though both are the same.
 */
export const given = (...arrays: readonly string[]): string => `unnest(${arrays.map((array) => `(SELECT ${array})`).join(', ')})`
