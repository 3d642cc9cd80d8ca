CREATE INDEX "scim_users_unnamed" ON "scim_users" ("connection_id", "created_at", "id") WHERE "unnamed_since" IS NOT NULL;
