-- Of those who are out, whoever the trail names since the door was shut. Where the trail is not kept so long: her directory, where its user is inactive or
-- deleted, because then it does keep her out; and an admin where it is not, because then it cannot have been the directory, and what nobody knows of is
-- lifted by somebody who looks.
--
-- The trail is read once, and not for each person. Brokers go on meanwhile: whoever was let in, or shut out again, since this began is left alone, and
-- where no word is known an admin opens.
SET LOCAL enable_nestloop = off;
WITH leavers AS MATERIALIZED (
  SELECT "tenant_id", "id", "scim_user_id", "deactivated_at", "epoch" FROM "subjects" WHERE "deactivated_at" IS NOT NULL AND "deactivated_by" = '{}'
), said AS (
  SELECT l."tenant_id", l."id", array_agg(DISTINCT a."detail" ->> 'source') AS words FROM "audit_events" a
    JOIN leavers l ON a."tenant_id" = l."tenant_id" AND a."subject_id" = l."id" AND a."at" >= l."deactivated_at"
   WHERE a."kind" = 'subject.deprovisioned' AND a."detail" ->> 'deactivated' = 'true' AND a."detail" ->> 'source' IN ('scim', 'signal', 'admin')
   GROUP BY l."tenant_id", l."id"
), found AS MATERIALIZED (
  SELECT l."tenant_id", l."id", l."deactivated_at", l."epoch",
    COALESCE(said.words, CASE WHEN NOT u."active" OR u."deleted_at" IS NOT NULL THEN ARRAY['scim'] ELSE ARRAY['admin'] END) AS words
    FROM leavers l LEFT JOIN said ON said."tenant_id" = l."tenant_id" AND said."id" = l."id"
    LEFT JOIN "scim_users" u ON u."tenant_id" = l."tenant_id" AND u."id" = l."scim_user_id"
), held AS MATERIALIZED (
  -- In the order in which brokers hold several people.
  SELECT s."tenant_id", s."id", found.words FROM "subjects" s JOIN found ON s."tenant_id" = found."tenant_id" AND s."id" = found."id"
   WHERE s."deactivated_by" = '{}' AND s."deactivated_at" = found."deactivated_at" AND s."epoch" = found."epoch"
   ORDER BY s."tenant_id", s."id" FOR NO KEY UPDATE OF s
)
UPDATE "subjects" AS s SET "deactivated_by" = held.words FROM held WHERE s."tenant_id" = held."tenant_id" AND s."id" = held."id";
