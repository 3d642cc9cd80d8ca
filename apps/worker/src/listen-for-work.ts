/** One connection that hears of all work that is woken: of the budget every process holds one for its own. */
import { type ChangeChannel, listen } from '@drawbridge/store/changes'
import type { Database } from '@drawbridge/store/database'

export type ListeningForWork = { isListening(): boolean; stop(): Promise<void> }

/** Who is woken by which channel. After each connection all of them are: anything may have been said before it. */
export async function listenForWork(
  database: Database,
  wakes: Readonly<Partial<Record<ChangeChannel, () => void>>>,
): Promise<ListeningForWork> {
  let isListening = false
  const listening = await listen(database, {
    channels: Object.keys(wakes) as ChangeChannel[],
    onChange: ({ channel }) => wakes[channel]?.(),
    onGap: () => {
      isListening = true
      for (const wake of Object.values(wakes)) wake()
    },
    onError: () => {
      isListening = false
    },
  })
  return { isListening: () => isListening, stop: () => listening.close() }
}
