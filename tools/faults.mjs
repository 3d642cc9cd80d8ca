// The fault harness by hand: `pnpm faults --minutes 10 --seed 4711 --queue redis`. Without a seed it draws one and says which.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' }, queue: { type: 'string' } },
})
const minutes = Number(values.minutes)
if (
  !(minutes > 0) ||
  (values.seed !== undefined && !/^\d+$/.test(values.seed)) ||
  ![undefined, 'postgresql', 'redis'].includes(values.queue)
) {
  console.error('usage: pnpm faults [--minutes <number>] [--seed <whole number>] [--queue postgresql|redis]')
  process.exit(2)
}
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'apps/cli/test/faults.test'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    DRAWBRIDGE_FAULTS_SECONDS: String(Math.round(minutes * 60)),
    ...(values.seed ? { DRAWBRIDGE_FAULTS_SEED: values.seed } : {}),
    ...(values.queue ? { DRAWBRIDGE_FAULTS_QUEUE: values.queue } : {}),
  },
})
process.exit(status ?? 1)
