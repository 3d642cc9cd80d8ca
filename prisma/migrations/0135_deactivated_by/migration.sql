-- Who keeps a person out: her directory (scim), a signal of her IdP, an admin. Each lifts its own word, and an admin any (docs/adr/0099).
ALTER TABLE "subjects" ADD COLUMN "deactivated_by" TEXT[] NOT NULL DEFAULT '{}';

-- Of those who are out, whoever the trail names since the door was shut. Where the trail is not kept so long: her directory, where its user is inactive or
-- deleted, because then it does keep her out; and an admin where it is not, because then it cannot have been the directory, and what nobody knows of is
-- lifted by somebody who looks.
UPDATE "subjects" AS s SET "deactivated_by" = COALESCE(
  (SELECT array_agg(DISTINCT a."detail" ->> 'source') FROM "audit_events" a
    WHERE a."tenant_id" = s."tenant_id" AND a."subject_id" = s."id" AND a."kind" = 'subject.deprovisioned' AND a."at" >= s."deactivated_at"
      AND a."detail" ->> 'deactivated' = 'true' AND a."detail" ->> 'source' IN ('scim', 'signal', 'admin')),
  CASE WHEN EXISTS (SELECT 1 FROM "scim_users" u WHERE u."tenant_id" = s."tenant_id" AND u."id" = s."scim_user_id" AND (NOT u."active" OR u."deleted_at" IS NOT NULL))
    THEN ARRAY['scim'] ELSE ARRAY['admin'] END)
WHERE s."deactivated_at" IS NOT NULL;
