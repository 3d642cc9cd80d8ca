-- Those whose receipts are folded, until they go.
CREATE INDEX "deprovisioning_events_folded" ON "deprovisioning_events" ("swept_at") WHERE "receivers_folded_at" IS NOT NULL;
