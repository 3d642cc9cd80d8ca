/** Turns the faults that people meet at start into a sentence with a remedy. */

type Known = { readonly when: (code: string | undefined, text: string) => boolean; readonly say: string }

const known: readonly Known[] = [
  {
    when: (code) => code === 'EADDRINUSE',
    say: 'A port is in use. Is Drawbridge running already? Stop it, or choose another port (DRAWBRIDGE_PORT and its siblings).',
  },
  {
    when: (code, text) => code === 'ENOSPC' || text.includes('No space left'),
    say: 'The disk is full. Free some space and start again; nothing committed is lost.',
  },
  {
    when: (code) => code === 'ECONNREFUSED',
    say: 'PostgreSQL (or Redis) does not answer. Check DATABASE_URL and REDIS_URL, and that the servers run.',
  },
  {
    when: (code) => code === '28P01' || code === '28000',
    say: 'PostgreSQL refuses the name or password. The role of DATABASE_URL is made, and its password set, by "drawbridge migrate" with DATABASE_OWNER_URL.',
  },
  { when: (code) => code === '3D000', say: 'There is no such database yet. Run "drawbridge migrate" with DATABASE_OWNER_URL.' },
  {
    when: (code) => code === '42P01' || code === '42704',
    say: 'The database is not migrated. Run "drawbridge migrate" with DATABASE_OWNER_URL.',
  },
  {
    when: (code) => code === 'EACCES',
    say: 'A file or folder may not be written by this user. A start as another user may have left it: change its owner.',
  },
]

export function explainFailure(error: unknown): string {
  const code = (error as { code?: string } | undefined)?.code
  const text = error instanceof Error ? error.message : String(error)
  const found = known.find(({ when }) => when(code, text))
  return found ? `${found.say}\n  (${text})` : text
}
