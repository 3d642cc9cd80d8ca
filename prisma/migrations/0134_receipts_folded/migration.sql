-- Receipts of single receivers are folded into the counts of their event after a while, and events go after a longer one.
ALTER TABLE "deprovisioning_events" ADD COLUMN "receivers_folded_at" TIMESTAMPTZ(3);
ALTER TABLE "deprovisioning_events" ADD COLUMN "folded_receipts" JSONB;

-- Each finds what is due by its first rows; an event is in the first or the second of them, and few are in the third.
CREATE INDEX "deprovisioning_events_unfolded" ON "deprovisioning_events" ("received_at") WHERE "receivers_folded_at" IS NULL AND "swept_at" IS NOT NULL;
CREATE INDEX "deprovisioning_events_folded" ON "deprovisioning_events" ("received_at") WHERE "receivers_folded_at" IS NOT NULL;
CREATE INDEX "deprovisioning_events_brief" ON "deprovisioning_events" ("received_at") WHERE NOT "matched" OR "source" = 'revocation_endpoint';

-- What was folded before it was dead everywhere is awaited no more: without this the sweep would look at it for ever.
DROP INDEX "deprovisioning_events_alive";
CREATE INDEX "deprovisioning_events_alive" ON "deprovisioning_events" ("swept_at")
  WHERE "dead_at" IS NULL AND "swept_at" IS NOT NULL AND "receivers_folded_at" IS NULL;

GRANT DELETE ON "deprovisioning_events", "notice_receipts" TO drawbridge_across;
