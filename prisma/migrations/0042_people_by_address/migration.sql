-- Whom an address is of, without the tenant, as 0009 says: through the index of 0027 a subject could be looked for among all people of the
-- tenant, as long as nothing was known of the table, or it was nearly empty when it was seen.
DROP INDEX "subjects_tenant_id_email_key_idx";
CREATE INDEX "subjects_email_key_idx" ON "subjects" ("email_key");

-- One SCIM user is one subject, as before, and by the same name. With its condition the index serves only those who ask for a SCIM user, not
-- everybody who names the tenant. And it makes of scim_user_id no key of the row: a login, which may set it, no longer waits for everything
-- that is being written in the person's name and holds her row by its foreign key.
DROP INDEX "subjects_tenant_id_scim_user_id_key";
CREATE UNIQUE INDEX "subjects_tenant_id_scim_user_id_key" ON "subjects" ("tenant_id", "scim_user_id") WHERE "scim_user_id" IS NOT NULL;
