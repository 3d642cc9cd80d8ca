-- When the refresh tokens of a grant end (docs/adr/0038): before the grant does, where its first access token may live longer than they. The running
-- version writes none and ends such a grant with its refresh tokens.
ALTER TABLE "grants" ADD COLUMN "refresh_ends_at" TIMESTAMPTZ(3);

-- When the directory ends somebody's access, said in advance. The running version writes none.
ALTER TABLE "subjects" ADD COLUMN "deactivates_at" TIMESTAMPTZ(3);

-- Sweeps that have come to their end are removed after a time.
CREATE INDEX "policy_sweeps_settled_at_idx" ON "policy_sweeps" ("settled_at");
GRANT DELETE ON "policy_sweeps" TO drawbridge_across;
