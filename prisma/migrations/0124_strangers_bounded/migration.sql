-- When the trail last told that a refresh token was refused that is worth nothing any more. A version that knows nothing of it tells each time.
ALTER TABLE "refresh_tokens" ADD COLUMN "refused_at" TIMESTAMPTZ(3);

-- The oldest clients of a tenant that describe themselves make room, and those that nobody uses go.
CREATE INDEX "clients_documents_idx" ON "clients" ("tenant_id", "created_at") WHERE "kind" = 'metadata_document';

-- Whether an admin has let a client's logo be shown, and nothing of the picture.
CREATE POLICY across ON "client_logos" TO drawbridge_across USING (true);
GRANT SELECT ("tenant_id", "issuer_id", "client_id") ON "client_logos" TO drawbridge_across;
