/**
 * What each function that an expression may use can cost, in steps of some 25 ns, by the longest texts that it can be given.
 *
 * Measured with texts that are made for the worst; where only a text that nobody has by accident is several times slower than the price,
 * the comment says so.
 */
import { policyLimits } from './error.js'

/** The most items of a list, 0 for what is certainly a single value; the longest text, of each item where it is a list. */
export type Operand = { readonly items: number; readonly text: number }
/** `text`: the longest that it can return. `throws`: there are arguments of the right type for which it fails. */
export type Price = { readonly steps: number; readonly text?: number; readonly throws?: boolean }
type PriceOf = (operands: readonly Operand[], instructions: number) => Price

/** An error that is taken in: made, thrown and caught. For its message the library counts the characters before it. */
export const errorSteps = (sourceCharacters: number): number => 20 + Math.ceil(sourceCharacters / 40)

export const comprehensions: ReadonlySet<string> = new Set(['exists', 'all', 'exists_one', 'filter', 'map'])

/** For a text as long as a claim may be, and by its length for longer ones. */
const walking = (steps: number, { text }: Operand): number =>
  Math.ceil((steps * Math.max(text, policyLimits.claimCharacters)) / policyLimits.claimCharacters)
const none: Operand = { items: 0, text: 0 }

/** Counts characters one by one; of a list it is known. */
const size: PriceOf = ([of = none]) => ({ steps: of.items > 0 ? 1 : 1 + Math.ceil(of.text / 6) })

/** The host tells texts apart many characters at a time. */
export const charactersPerComparison = 4_096

/** Compares as much as the shorter of both is long. */
const edge: PriceOf = ([text = none, end = none]) => ({ steps: 2 + Math.floor(Math.min(text.text, end.text) / charactersPerComparison) })

/** The host keeps tables for no more of what it looks for, and beyond may compare all of it at each character. */
const needleTable = 250
const comparisonsPerStep = 64

/** Five times as slow for a text that is made for it. */
const contains: PriceOf = ([text = none, needle = none]) => ({
  steps: walking(44, text) + (needle.text > needleTable ? Math.ceil((text.text * needle.text) / comparisonsPerStep) : 0),
})

/** Not only ASCII, whatever their names say: one character becomes up to two in lower case, and three in upper case. */
const changedCase =
  (growth: number): PriceOf =>
  ([text = none]) => ({ steps: 1 + Math.ceil(text.text / 4), text: text.text * growth })

const regexWalk = 128
/** For each instruction of a pattern: a quarter of what one costs over a whole text where the engine can keep nothing, which few patterns bring it to. */
const regexInstruction = 256
const matches: PriceOf = ([text = none], instructions) => ({ steps: walking(regexWalk + instructions * regexInstruction, text) })

/** The library looks for a unit behind digits that it divides in every way: the cube of the length. */
const cubesPerStep = 64
const duration: PriceOf = ([text = none]) => ({ steps: 16 + Math.ceil(text.text ** 3 / cubesPerStep), throws: true })

const number: PriceOf = ([text = none]) => ({ steps: walking(48, text), throws: true })
const timestamp: PriceOf = () => ({ steps: 16, throws: true })

/** What time it is somewhere is asked of the host's time zones, which is slower by far than all else. */
const inTimeZone = 8_000
const partOfTime: PriceOf = ([, zone]) => (zone === undefined ? { steps: 16 } : { steps: 16 + inTimeZone, throws: true })

export const priceOf: ReadonlyMap<string, PriceOf> = new Map<string, PriceOf>([
  ['size', size],
  ['startsWith', edge],
  ['endsWith', edge],
  ['contains', contains],
  ['lowerAscii', changedCase(2)],
  ['upperAscii', changedCase(3)],
  ['trim', ([text = none]) => ({ steps: walking(48, text), text: text.text })],
  ['matches', matches],
  ['matchRe', matches],
  ['int', number],
  ['double', number],
  ['has', () => ({ steps: 1 })],
  ['timestamp', timestamp],
  ['duration', duration],
  ...[
    'getDate',
    'getDayOfMonth',
    'getDayOfWeek',
    'getDayOfYear',
    'getFullYear',
    'getHours',
    'getMilliseconds',
    'getMinutes',
    'getMonth',
    'getSeconds',
  ].map((name) => [name, partOfTime] as const),
])
