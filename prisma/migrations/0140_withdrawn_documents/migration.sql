-- Since when the publisher of a client's metadata document says that there is none, or says something else there (docs/adr/0101). A change of the client, so
-- whoever goes on by a remembered copy looks again.
ALTER TABLE "clients" ADD COLUMN "document_withdrawn_at" TIMESTAMPTZ(3);
