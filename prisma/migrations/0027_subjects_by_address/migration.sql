-- Whom an address is of, where a company lets her groups choose the connection. Written by her next login; it stays the same from login to
-- login, so that the row still changes in place. What the claims hold today is hers until then.
ALTER TABLE "subjects" ADD COLUMN "email_key" TEXT;
CREATE INDEX "subjects_tenant_id_email_key_idx" ON "subjects" ("tenant_id", "email_key");
CREATE INDEX "scim_users_tenant_id_user_name_key_idx" ON "scim_users" ("tenant_id", "user_name_key");
