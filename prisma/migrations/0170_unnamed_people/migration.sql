-- Since when, after a restore, her directory has not said whether she is active. Null: it has, or nothing was lost.
ALTER TABLE "scim_users" ADD COLUMN "unnamed_since" TIMESTAMPTZ(3);
CREATE INDEX "scim_users_unnamed" ON "scim_users" ("connection_id", "created_at", "id") WHERE "unnamed_since" IS NOT NULL;
