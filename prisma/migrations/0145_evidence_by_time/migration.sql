-- Each step of what becomes of an event finds what is due by its first rows. An event that was swept is in the first or the second of these, few are in the third.
CREATE INDEX "deprovisioning_events_unfolded" ON "deprovisioning_events" ("swept_at") WHERE "receivers_folded_at" IS NULL AND "swept_at" IS NOT NULL;
CREATE INDEX "deprovisioning_events_folded" ON "deprovisioning_events" ("swept_at") WHERE "receivers_folded_at" IS NOT NULL;
CREATE INDEX "deprovisioning_events_brief" ON "deprovisioning_events" ("received_at") WHERE NOT "matched" OR "source" = 'revocation_endpoint';

-- What is not dead everywhere yet is looked through page by page, the newest first. What was folded before it was, is awaited no more.
CREATE INDEX "deprovisioning_events_undead" ON "deprovisioning_events" ("swept_at", "id")
  WHERE "dead_at" IS NULL AND "swept_at" IS NOT NULL AND "receivers_folded_at" IS NULL;
