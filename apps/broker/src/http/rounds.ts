/**
 * What is asked at the same moment is asked together: a hundred guards that are woken by one notice cost the database what one costs.
 *
 * There is one round at a time for each key. Whoever comes while it is under way is in the next one, never in that: nobody is answered by what
 * was read before he asked. A round that fails is tried once more for each alone, so that nobody fails for what another has asked; but where all ask
 * alike it fails for all, because the same question a hundred times more is no help to a database in trouble.
 */
type Waiting<Asked, Answer> = {
  readonly asked: Asked
  readonly resolve: (answer: Answer) => void
  readonly reject: (cause: unknown) => void
}
/** Answers as many as it was asked for, in their order. */
export type RunRound<Asked, Answer> = (asked: readonly Asked[]) => Promise<readonly Answer[]>
export type Rounds<Asked, Answer> = { ask(key: string, asked: Asked, run: RunRound<Asked, Answer>): Promise<Answer> }

export type RoundLimits = { readonly mostOfRound: number; readonly isAskedAlike?: boolean }

export function createRounds<Asked, Answer>({ mostOfRound, isAskedAlike = false }: RoundLimits): Rounds<Asked, Answer> {
  const waitingOf = new Map<string, Waiting<Asked, Answer>[]>()
  const runAll = async (key: string, waiting: Waiting<Asked, Answer>[], run: RunRound<Asked, Answer>): Promise<void> => {
    while (waiting.length > 0) await runRound(waiting.splice(0, mostOfRound), run, isAskedAlike)
    waitingOf.delete(key)
  }
  return {
    ask: (key, asked, run) =>
      new Promise((resolve, reject) => {
        const one = { asked, resolve, reject }
        const waiting = waitingOf.get(key)
        if (waiting !== undefined) return void waiting.push(one)
        const first = [one]
        waitingOf.set(key, first)
        // Not at once: who was woken together asks in the same turn.
        setImmediate(() => void runAll(key, first, run))
      }),
  }
}

async function runRound<Asked, Answer>(
  round: readonly Waiting<Asked, Answer>[],
  run: RunRound<Asked, Answer>,
  isAskedAlike: boolean,
): Promise<void> {
  try {
    const answers = await run(round.map(({ asked }) => asked))
    round.forEach(({ resolve }, index) => resolve(answers[index] as Answer))
  } catch (cause) {
    if (round.length > 1 && !isAskedAlike) await Promise.all(round.map((one) => runRound([one], run, isAskedAlike)))
    else for (const { reject } of round) reject(cause)
  }
}
