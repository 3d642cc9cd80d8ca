/** The queue's engine takes no more, by its own words: PostgreSQL's disk or Redis's memory is full; or it takes nothing for a while and says nothing. */
import { asOwner } from '@drawbridge/testkit/database'
import { holdTables } from '../a-held-table.js'
import type { PlainPostgres } from '../a-plain-postgres.js'
import type { TestRedis } from '../a-redis.js'

export type QueueEngine = {
  /** Every write is refused until it is said otherwise; what is there can be read, and taken away. */
  setFull(isFull: boolean): Promise<void>
  /** Whoever writes waits so long, and hears nothing meanwhile. */
  hold(milliseconds: number): Promise<void>
}

/** BullMQ's own; nothing of the product rests there. */
const queueSchema = 'bullmq'
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** One octet is less than an empty Redis needs; 0 is no limit. It evicts nothing, as the product demands of it. */
export const queueOnRedis = (redis: TestRedis): QueueEngine => ({
  setFull: (isFull) => redis.say(`CONFIG SET maxmemory ${isFull ? 1 : 0}`),
  hold: async (milliseconds) => {
    await redis.say(`CLIENT PAUSE ${Math.round(milliseconds)} WRITE`)
    await sleep(milliseconds)
  },
})

/** With the words of a disk that is full, for the queue's own tables alone: beside it, on the same disk, the product's would be refused, too. */
export async function queueOnPostgres({ ownerUrl }: PlainPostgres): Promise<QueueEngine> {
  const run = (sql: string) => asOwner<{ name: string }>(ownerUrl, sql)
  await run('CREATE SCHEMA faults')
  await run('CREATE TABLE faults.queue_disk AS SELECT false AS is_full')
  await run(`CREATE FUNCTION faults.refuse_when_full() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = faults, pg_temp AS $$
    BEGIN
      IF (SELECT is_full FROM queue_disk) THEN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device'; END IF;
      RETURN NULL;
    END $$`)
  const tables = await run(
    `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = '${queueSchema}'`,
  )
  if (tables.length === 0) throw new Error(`the queue has no tables in ${queueSchema}`)
  for (const { name } of tables)
    await run(`CREATE TRIGGER refuse_when_full BEFORE INSERT OR UPDATE ON ${name} EXECUTE FUNCTION faults.refuse_when_full()`)
  return {
    setFull: async (isFull) => {
      await run(`UPDATE faults.queue_disk SET is_full = ${isFull}`)
    },
    hold: async (milliseconds) => {
      const held = await holdTables(ownerUrl, [`${queueSchema}.job`])
      await sleep(milliseconds)
      await held.release()
    },
  }
}
