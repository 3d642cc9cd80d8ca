-- The history that this installation was last known to stand on: PostgreSQL's system identifier and timeline. A restore and a promotion change them.
ALTER TABLE "installation" ADD COLUMN "database_cluster" TEXT, ADD COLUMN "database_timeline" INTEGER;
GRANT UPDATE ("database_cluster", "database_timeline") ON "installation" TO drawbridge_across;

-- After a restore: until the directory has been synchronised anew, nobody comes in but whom it has created since.
ALTER TABLE "connections" ADD COLUMN "resync_demanded_at" TIMESTAMPTZ(3);
