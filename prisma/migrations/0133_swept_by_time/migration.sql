-- A sweep reads what is over, and not all that there is, however often it looks in a run.
CREATE INDEX "outbox_done" ON "outbox" ("done_at") WHERE "done_at" IS NOT NULL;
