-- What is not dead everywhere yet is looked through page by page, the newest first. What was folded before it was, is awaited no more.
CREATE INDEX "deprovisioning_events_undead" ON "deprovisioning_events" ("swept_at", "id")
  WHERE "dead_at" IS NULL AND "swept_at" IS NOT NULL AND "receivers_folded_at" IS NULL;
