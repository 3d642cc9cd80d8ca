-- Since when, after a restore, her directory has not said whether she is active. Null: it has, or nothing was lost.
ALTER TABLE "scim_users" ADD COLUMN "unnamed_since" TIMESTAMPTZ(3);
