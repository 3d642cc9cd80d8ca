-- That a successor was used is what its own row says: it has been rotated. Writing it into the predecessor too was a row version, an index
-- entry and a scan of the family at every rotation.
ALTER TABLE "refresh_tokens" DROP COLUMN "successor_used_at";
