-- Until when access tokens live that were issued before the end of their grant was brought forward at a refresh. Null: none outlives it.
ALTER TABLE "grants" ADD COLUMN "outlived_until" TIMESTAMPTZ(3);
