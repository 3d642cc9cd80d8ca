-- Each step of what becomes of an event finds what is due by its first rows: those whose receipts are to be folded. One migration for each of these indexes:
-- whoever shuts a door waits while one is built, and not for the sum of them.
CREATE INDEX "deprovisioning_events_unfolded" ON "deprovisioning_events" ("swept_at") WHERE "receivers_folded_at" IS NULL AND "swept_at" IS NOT NULL;
