-- A parked message names the login that it says it answers: so the browser is proven, and its login found, in the statement that takes the
-- message. The name proves nothing. Null: parked by the version before; nobody finds it, and that login starts again.
ALTER TABLE "parked_messages" ADD COLUMN "login_request_id" UUID;

-- Whether the IdP was told to ask again (ForceAuthn, prompt=login), so that an answer which is not fresh is sent back once and no more.
ALTER TABLE "login_requests" ADD COLUMN "fresh_demanded" BOOLEAN NOT NULL DEFAULT false;

-- One SCIM user is one subject. Where an earlier version linked several, the first keeps the link and the others are shut out until an
-- admin has looked: left unlinked and open, they would outlive the deactivation of the person in the directory.
UPDATE "subjects" SET "scim_user_id" = NULL, "epoch" = "epoch" + 1, "barrier_at" = now(), "deactivated_at" = COALESCE("deactivated_at", now())
FROM (SELECT "tenant_id", "id", row_number() OVER (PARTITION BY "tenant_id", "scim_user_id" ORDER BY "created_at", "id") AS "place"
  FROM "subjects" WHERE "scim_user_id" IS NOT NULL) AS "linked"
WHERE "linked"."place" > 1 AND "subjects"."tenant_id" = "linked"."tenant_id" AND "subjects"."id" = "linked"."id";
DROP INDEX "subjects_tenant_id_scim_user_id_idx";
CREATE UNIQUE INDEX "subjects_tenant_id_scim_user_id_key" ON "subjects" ("tenant_id", "scim_user_id");
