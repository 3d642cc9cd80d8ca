-- Whether an issuer of a tenant has a living grant of a resource is asked by every sweep. Without the issuer it was read from all that the
-- issuer has opened, or all that a shared resource has. What is built comes before what is dropped, so that readers wait for a moment only.
CREATE INDEX "grants_resource_id_issuer_id_expires_at_idx" ON "grants" ("resource_id", "issuer_id", "expires_at");

-- What was opened from a grant that ends is found among what lives and was opened from any: behind row-level security no index of arrays is looked into.
CREATE INDEX "grants_exchanged" ON "grants" ("tenant_id", "expires_at") WHERE "ancestors" <> '{}';

DROP INDEX "grants_resource_id_idx";
DROP INDEX "grants_ancestors";
