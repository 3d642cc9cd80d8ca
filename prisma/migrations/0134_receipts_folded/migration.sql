-- Receipts of single receivers are folded into the counts of their event after a while, and events go after a longer one. The columns alone, because to add one
-- keeps everybody out until the commit: what finds the events is built in a migration of its own (0145).
ALTER TABLE "deprovisioning_events" ADD COLUMN "receivers_folded_at" TIMESTAMPTZ(3);
ALTER TABLE "deprovisioning_events" ADD COLUMN "folded_receipts" JSONB;

GRANT DELETE ON "deprovisioning_events", "notice_receipts" TO drawbridge_across;
