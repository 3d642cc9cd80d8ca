-- Whoever is out leaves a tombstone of her link value, too, and of all her names without regard to case. A version that knows nothing of the column
-- writes none: until every broker is of this version, the link value of one who signed in last through such a broker is no tombstone.
ALTER TABLE "subjects" ADD COLUMN "link_value" TEXT;

-- How names of those who are out are looked for: without case, whatever the locale of the cluster, and of one length, so that no name is too long for
-- an index when somebody has to go out.
CREATE FUNCTION tombstone_key(name text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN sha256(convert_to(lower(name COLLATE "und-x-icu"), 'UTF8'));

CREATE INDEX "subjects_gone_stable_key" ON "subjects" (tombstone_key("stable_id")) WHERE "deactivated_at" IS NOT NULL OR "deactivates_at" IS NOT NULL;
CREATE INDEX "subjects_gone_link_key" ON "subjects" (tombstone_key("link_value")) WHERE "deactivated_at" IS NOT NULL OR "deactivates_at" IS NOT NULL;
