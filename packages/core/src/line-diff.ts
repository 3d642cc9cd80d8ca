/** What changed between two texts, line by line, with a little of what stands around it: the one home of the library in this house. */
import { structuredPatch } from 'diff'

/** A run of lines as a unified diff has it: each begins with a space, `-` or `+`. Lines count from 1. */
export type Hunk = {
  readonly before: { readonly line: number; readonly lines: number }
  readonly after: { readonly line: number; readonly lines: number }
  readonly lines: readonly string[]
}

export const lineDiffLimits = {
  /** Lines around a change. */
  context: 3,
  /** Changes beyond which two texts are not aligned: the work grows with their square. */
  edits: 500,
} as const

/** Empty: the texts are the same. Texts that have little in common are shown as one taken away and the other put in its place. */
export function diffLines(before: string, after: string): readonly Hunk[] {
  const [from, to] = [withNewline(before), withNewline(after)]
  if (from === to) return before === after ? [] : [endDiffers(before, after)]
  const patch = structuredPatch('', '', from, to, '', '', { context: lineDiffLimits.context, maxEditLength: lineDiffLimits.edits })
  if (patch === undefined) return [replaced(from, to)]
  return patch.hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) => ({
    before: { line: oldStart, lines: oldLines },
    after: { line: newStart, lines: newLines },
    lines,
  }))
}

/** A text that ends within a line ends with it: what is compared are lines. */
const withNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)
const linesOf = (text: string): readonly string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

function replaced(from: string, to: string): Hunk {
  const [old, fresh] = [linesOf(from), linesOf(to)]
  return {
    before: { line: 1, lines: old.length },
    after: { line: 1, lines: fresh.length },
    lines: [...old.map((line) => `-${line}`), ...fresh.map((line) => `+${line}`)],
  }
}

const noEnd = '\\ No newline at end of file'

/** Only the end of the last line differs, as diff(1) says it. */
function endDiffers(before: string, after: string): Hunk {
  const lines = linesOf(withNewline(before))
  const [line, last] = [Math.max(1, lines.length), lines.at(-1) ?? '']
  const end = (text: string): readonly string[] => (text.endsWith('\n') ? [] : [noEnd])
  return {
    before: { line, lines: 1 },
    after: { line, lines: 1 },
    lines: [`-${last}`, ...end(before), `+${last}`, ...end(after)],
  }
}
