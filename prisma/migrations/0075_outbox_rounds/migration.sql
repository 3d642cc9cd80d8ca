-- Fair shares, growing pauses and dead letters for guaranteed work. A version that knows nothing of it goes on as before: it hands over what
-- it has not handed over yet, and again after 30 seconds; the defaults make its entries due at once.
ALTER TABLE "outbox"
  ADD COLUMN "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT '-infinity',
  ADD COLUMN "attempts" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "attempts_forgiven" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "dead_at" TIMESTAMPTZ(3),
  ADD COLUMN "dead_reason" TEXT;

-- By tenant, so that the next tenant is one step away however much one of them waits for; in it what tells of an end before what only decides
-- anew; in that what is due before what pauses, and what is dead (infinity) last. The expression stands in packages/store/src/outbox-relay.ts too.
CREATE INDEX "outbox_undone" ON "outbox" ("tenant_id", (CASE WHEN "kind" IN ('settle-grants', 'settle-directory') THEN 1 ELSE 0 END), "due_at", "id") WHERE "done_at" IS NULL;
-- What the queue holds: never more than its bound.
CREATE INDEX "outbox_handed_over" ON "outbox" ("tenant_id", "due_at") WHERE "done_at" IS NULL AND "relayed_at" IS NOT NULL;
CREATE INDEX "outbox_dead" ON "outbox" ("id") WHERE "dead_at" IS NOT NULL AND "done_at" IS NULL;
