-- When a grant that lives on lost something, as it was told: its next token is of a later second.
ALTER TABLE "grants" ADD COLUMN "barrier_at" TIMESTAMPTZ(3);
