-- Groups that were deleted, by when: so the sweep finds those whose time is over (docs/adr/0124).
CREATE INDEX "scim_groups_deleted" ON "scim_groups" ("deleted_at") WHERE "deleted_at" IS NOT NULL;
