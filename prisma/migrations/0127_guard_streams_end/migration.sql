-- A guard's stream leaves a row, and each start of a replica opens one: those that closed long ago are swept. What they told is in the receipts.
CREATE INDEX "notice_streams_closed_at_idx" ON "notice_streams" ("closed_at");
GRANT DELETE ON "notice_streams" TO drawbridge_across;
