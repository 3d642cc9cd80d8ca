/** Where the elements of a message stand in its text, found by tags alone: good enough to move them about, and to break them. */
export type Span = { readonly from: number; readonly to: number }

export function elementsOf(message: string): readonly Span[] {
  const spans: Span[] = []
  const open: number[] = []
  for (const { index, 0: tag } of message.matchAll(/<[A-Za-z_/](?:[^<>"']|"[^"]*"|'[^']*')*>/g)) {
    if (tag.startsWith('</')) {
      const from = open.pop()
      if (from !== undefined) spans.push({ from, to: index + tag.length })
    } else if (tag.endsWith('/>')) spans.push({ from: index, to: index + tag.length })
    else open.push(index)
  }
  return spans
}
