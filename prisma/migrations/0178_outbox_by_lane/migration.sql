-- What follows a kill ('follow-kill') has a lane of its own, behind what tells of an end and what decides: the pieces of a kill at many tenants filled the room of the
-- revocations. The expression stands in packages/store/src/outbox-relay.ts too. A version before goes by its own expression, and finds a tenant's by this index, too.
CREATE INDEX "outbox_by_lane" ON "outbox" ("tenant_id", (CASE "kind" WHEN 'settle-grants' THEN 1 WHEN 'settle-directory' THEN 1 WHEN 'follow-kill' THEN 2 ELSE 0 END), "due_at", "id") WHERE "done_at" IS NULL;
