-- What an admin judged of a client's document, by digests, and what took an approval away. A version that knows nothing of the columns leaves
-- them as they are: what it fetches or approves meanwhile is judged by what stands in the row.
ALTER TABLE "clients" ADD COLUMN "document_digests" JSONB, ADD COLUMN "approved_digests" JSONB, ADD COLUMN "approval_lost" JSONB;
