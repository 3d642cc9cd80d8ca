-- A restore is counted at the connection, and of a person it is kept after how many her directory has named her: a recovery writes a row for each connection, where the marks of 0170
-- were a row for each person, and did not get done for very many. Nothing was released between; an installation that recovered with marks is recovered once more (`drawbridge recover`).
ALTER TABLE "connections" ADD COLUMN "recoveries" INTEGER NOT NULL DEFAULT 0, ADD COLUMN "unnamed_since" TIMESTAMPTZ(3);
-- Takes the index of 0171 with it.
ALTER TABLE "scim_users" ADD COLUMN "named_after" INTEGER NOT NULL DEFAULT 0, DROP COLUMN "unnamed_since";
