/**
 * The patterns of `matches`: compiled once, on an engine whose time is linear in the text. It is linear in the program that a pattern becomes
 * as well, and a few characters can become thousands of instructions (`\p{L}{1000}`); so programs are bounded, each and all together.
 *
 * Asked for a yes or no alone, the engine makes an automaton of the sets of instructions that it meets: quick for most patterns, and for
 * some (`[ab]*a[ab]{16}c`) a new one at each character, forty times as slow and kept in megabytes. Asked where the match is, it never does.
 */
import { RE2JS } from 're2js'
import { err, ok, type Result } from '../result.js'
import { policyLimits } from './error.js'

export type Regex = { readonly test: (text: string) => boolean; readonly instructions: number }
/** The same pattern has the same answer. A refusal says in plain words why. */
export type Regexes = (pattern: string) => Result<Regex, string>

/** For one document. What was refused for its size counts too, because making it took its time. */
export function boundedRegexes(): Regexes {
  const known = new Map<string, Result<Regex, string>>()
  let total = 0
  const compile = (pattern: string): Result<Regex, string> => {
    if (pattern.length > policyLimits.regexCharacters) return err('longer than the limit regexCharacters')
    if (total > policyLimits.regexInstructionsInAll) return err('all patterns together are larger than the limit regexInstructionsInAll')
    try {
      const compiled = RE2JS.compile(pattern)
      const instructions = compiled.programSize()
      total += instructions
      if (instructions > policyLimits.regexInstructions) return err('larger than the limit regexInstructions')
      return ok({ test: (text) => compiled.matcher(text).find(), instructions })
    } catch (error) {
      return err(error instanceof Error ? error.message : '')
    }
  }
  return (pattern) => {
    const regex = known.get(pattern) ?? compile(pattern)
    known.set(pattern, regex)
    return regex
  }
}
